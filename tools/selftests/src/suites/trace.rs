// SPDX-License-Identifier: GPL-2.0
//! The tracepoints fire.

use std::time::Duration;

use anyhow::{ensure, Result};
use nix::errno::Errno;
use pinlease::Policy;

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        page_size,
        proc::{hooked_functions, wait_for},
        tracer::Tracer,
        Act, Breaking, Fill, HolderPlan, Mapped, RigOptions, When,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("trace.events", events),
    Test::new("trace.breaks", breaks),
];

/// What happens without a break.
const EVENTS: [&str; 10] = [
    "hook_install",
    "lease_acquire",
    "pin",
    "mkclean",
    "snapshot",
    "snapshot_done",
    "rearm",
    "unpin",
    "lease_release",
    "hook_remove",
];

const PAGES: u64 = 4;
const PAGE: u64 = page_size() as u64;
const LIMIT: Duration = Duration::from_secs(30);

fn events(context: &Context) -> TestResult {
    context.load_modules()?;
    wait_for("hooks of earlier leases are gone", LIMIT, no_hooks)?;
    let mut tracer = Tracer::new("pinlease-selftest")?;
    for event in EVENTS {
        tracer.enable(&format!("pinlease/{event}"))?;
    }
    let options = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = options.build(&context.path("trace"))?;
    for generation in 1..=2 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
    }
    drop(rig.release()?);
    wait_for("the hooks are gone", LIMIT, no_hooks)?;

    let text = tracer.text()?;
    let count = |event: &str| text.matches(&format!(" {event}: ")).count();
    for event in EVENTS {
        println!("{event}: {}", count(event));
    }
    let missing: Vec<_> = EVENTS
        .into_iter()
        .filter(|event| count(event) == 0)
        .collect();
    ensure!(
        missing.is_empty(),
        "tracepoints that did not fire: {missing:?}"
    );
    let firsts: Vec<_> = EVENTS
        .iter()
        .map(|event| text.find(&format!(" {event}: ")))
        .collect();
    for event in ["hook_install", "lease_acquire", "pin"] {
        let place = EVENTS.iter().position(|known| *known == event).unwrap_or(0);
        let later = &firsts[place + 1..];
        ensure!(
            later.iter().all(|other| *other > firsts[place]),
            "{event} is not before the others"
        );
    }
    // Not an address, where names of functions are expected.
    for line in text.lines().filter(|line| line.contains(" hook_")) {
        let name = line.rsplit(' ').next().unwrap_or_default();
        let is_name = name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        ensure!(is_name && !name.starts_with("ffff"), "{line}");
    }
    // Every snapshot has its end.
    ensure!(
        count("snapshot") == count("snapshot_done"),
        "snapshots that did not end"
    );
    ensure!(
        count("hook_install") == count("hook_remove"),
        "hooks that stay"
    );
    Ok(())
}

fn no_hooks() -> Result<bool> {
    Ok(hooked_functions()?.is_empty())
}

/// A break with each end has its events, with who holds and who breaks.
fn breaks(context: &Context) -> TestResult {
    context.load_modules()?;
    let mut tracer = Tracer::new("pinlease-selftest")?;
    tracer.enable("pinlease")?;
    let mapped = Mapped::create(&context.path("trace-breaks"), PAGES, Fill::Faulted)?;
    let long = Duration::from_secs(60);
    let short = Duration::from_millis(200);

    let mut holder = HolderPlan::new(0..PAGES, Policy::Kill, long)
        .pin(None)
        .answer(Act::Close, When::AfterBreak(short))
        .start(&mapped)?;
    holder.act(&Act::Shrink(1..PAGES))?.result()?;
    let (lease, pid) = (holder.lease(), holder.pid());
    let breaking = Breaking::truncate(mapped.path(), PAGE)?;
    let breaker = breaking.pid();
    breaking.end(LIMIT)?.result()?;
    drop(holder);
    let text = tracer.text()?;
    one(
        &text,
        &[
            "lease_shrink:",
            &format!("lease {lease} policy kill offset {PAGE} length"),
        ],
    )?;
    let broken = one(
        &text,
        &["lease_break:", &format!("lease {lease} policy kill")],
    )?;
    ensure!(
        broken.contains(&format!("operation truncate offset {PAGE} ")),
        "{broken}"
    );
    ensure!(
        broken.contains(&format!(" holder {pid} holder_comm ")),
        "{broken}"
    );
    ensure!(broken.contains(&format!("breaker-{breaker} ")), "{broken}");
    let done = one(
        &text,
        &["break_done:", "operation truncate", "outcome released"],
    )?;
    let waited = done.rsplit(' ').next().unwrap_or_default().parse::<u64>()?;
    ensure!(Duration::from_nanos(waited) >= short, "{done}");

    let refusing = HolderPlan::new(0..1, Policy::Refuse, long)
        .pin(None)
        .start(&mapped)?;
    let refused = Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result();
    ensure!(refused == Err(Errno::ETXTBSY), "{refused:?}");
    let text = tracer.text()?;
    one(
        &text,
        &[
            "lease_refuse:",
            &format!("lease {} policy refuse", refusing.lease()),
        ],
    )?;
    one(&text, &["break_done:", "outcome refused"])?;
    drop(refusing);

    let silent = HolderPlan::new(0..1, Policy::Revoke, short).start(&mapped)?;
    Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result()?;
    let text = tracer.text()?;
    one(
        &text,
        &[
            "lease_withdraw:",
            &format!("lease {} policy revoke", silent.lease()),
        ],
    )?;
    one(&text, &["break_done:", "outcome revoked"])?;
    drop(silent);

    let again = Mapped::create(&context.path("trace-answer"), PAGES, Fill::Faulted)?;
    let unpins = HolderPlan::new(0..PAGES, Policy::Block, long)
        .answer(Act::Unpin, When::AfterBreak(short))
        .start(&again)?;
    Breaking::truncate(again.path(), PAGE)?
        .end(LIMIT)?
        .result()?;
    let text = tracer.text()?;
    one(
        &text,
        &[
            "lease_answer:",
            &format!("lease {} policy block", unpins.lease()),
        ],
    )?;
    Ok(())
}

/// The only line that has all of that.
fn one<'a>(text: &'a str, wanted: &[&str]) -> Result<&'a str> {
    let has_all = |line: &&str| wanted.iter().all(|part| line.contains(part));
    let lines: Vec<_> = text.lines().filter(has_all).collect();
    ensure!(lines.len() == 1, "{wanted:?}: {lines:?} in\n{text}");
    Ok(lines[0])
}
