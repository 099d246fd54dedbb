// SPDX-License-Identifier: GPL-2.0
//! Each way in which a break can end is counted as that, and nothing else is.

use std::{os::unix::fs::fchown, time::Duration};

use anyhow::{ensure, Context as _};
use nix::{
    errno::Errno,
    fcntl::{open, OFlag},
    sys::{signal::Signal, stat::Mode},
    unistd::truncate,
};
use pinlease::{Device, Policy};

use super::counts::Seen;
use crate::{
    harness::{Context, TestResult},
    support::{
        modules::Parameterised, proc::wait_for, process, residue, Act, Breaking, Fill, Handler,
        HolderPlan, Mapped, When,
    },
};

const PAGES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(30);

/// How long a breaker waits for the holder who answers, and the grace of those who do not.
const DELAY: Duration = Duration::from_millis(200);

/// A grace that is over before no test.
const LONG: Duration = Duration::from_secs(60);

/// All outcomes, as `totals` has them.
const OUTCOMES: [&str; 8] = [
    "released",
    "killed",
    "revoked",
    "refused",
    "would_wait",
    "deadlock",
    "timed_out",
    "interrupted",
];

/// One break that ends so.
struct Case {
    outcome: &'static str,
    run: fn(&Mapped) -> TestResult,
}

const CASES: [Case; 8] = [
    Case {
        outcome: "released",
        run: released,
    },
    Case {
        outcome: "killed",
        run: |mapped| silent(mapped, Policy::Kill),
    },
    Case {
        outcome: "revoked",
        run: |mapped| silent(mapped, Policy::Revoke),
    },
    Case {
        outcome: "refused",
        run: refused,
    },
    Case {
        outcome: "would_wait",
        run: would_wait,
    },
    Case {
        outcome: "deadlock",
        run: deadlock,
    },
    Case {
        outcome: "timed_out",
        run: timed_out,
    },
    Case {
        outcome: "interrupted",
        run: interrupted,
    },
];

/// Every one of them.
pub fn outcomes(context: &Context) -> TestResult {
    // Of holders that have no privilege.
    let modules = Parameterised::load(&context.modules, c"grace_max_ms=800")?;
    for Case { outcome, run } in CASES {
        let mapped = Mapped::create(&context.path(outcome), PAGES, Fill::Faulted)?;
        let before = Seen::now()?;
        run(&mapped).context(outcome)?;
        wait_for("no lease is left", LIMIT, || {
            Ok(residue::all_leases()?.is_empty())
        })?;
        let after = Seen::now()?;
        for other in OUTCOMES {
            let name = format!("breaks_{other}");
            let expected = u64::from(other == outcome);
            after.rose(&before, &name, expected).context(outcome)?;
        }
        // Those that could go on after a time.
        let timed = matches!(outcome, "released" | "killed" | "revoked");
        let count = after.count("break") - before.count("break");
        ensure!(count == u64::from(timed), "{outcome}: {count} were timed");
        ensure!(
            !timed || after.longest("break") >= DELAY,
            "{outcome} took no time"
        );
    }
    drop(modules);
    Ok(())
}

fn released(mapped: &Mapped) -> TestResult {
    let _holder = HolderPlan::new(0..PAGES, Policy::Kill, LONG)
        .answer(Act::Close, When::AfterBreak(DELAY))
        .start(mapped)?;
    Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result()?;
    Ok(())
}

fn silent(mapped: &Mapped, policy: Policy) -> TestResult {
    let _holder = HolderPlan::new(0..PAGES, policy, DELAY).start(mapped)?;
    Breaking::truncate(mapped.path(), 0)?.end(LIMIT)?.result()?;
    Ok(())
}

fn refused(mapped: &Mapped) -> TestResult {
    let _holder = HolderPlan::new(0..PAGES, Policy::Refuse, LONG).start(mapped)?;
    fails(Breaking::truncate(mapped.path(), 0)?, Errno::ETXTBSY)
}

fn would_wait(mapped: &Mapped) -> TestResult {
    let _holder = HolderPlan::new(0..PAGES, Policy::Block, LONG).start(mapped)?;
    let path = mapped.path().to_owned();
    let flags = OFlag::O_RDWR | OFlag::O_TRUNC | OFlag::O_NONBLOCK;
    let opens = move || open(&path, flags, Mode::empty()).map(drop);
    fails(Breaking::begin(Handler::Interrupts, opens)?, Errno::EAGAIN)
}

fn deadlock(mapped: &Mapped) -> TestResult {
    let _lease = Device::open()?
        .lease(mapped)
        .policy(Policy::Block)
        .acquire()?;
    let result = truncate(mapped.path(), 0);
    ensure!(result == Err(Errno::EDEADLK), "{result:?}");
    Ok(())
}

/// Root waits for a user's *block* only so long.
fn timed_out(mapped: &Mapped) -> TestResult {
    let nobody = Some(process::NOBODY);
    fchown(mapped.file(), nobody, nobody)?;
    let _holder = HolderPlan::new(0..PAGES, Policy::Block, Duration::from_millis(800))
        .nobody()
        .start(mapped)?;
    fails(Breaking::truncate(mapped.path(), 0)?, Errno::EBUSY)
}

fn interrupted(mapped: &Mapped) -> TestResult {
    let _holder = HolderPlan::new(0..PAGES, Policy::Block, LONG).start(mapped)?;
    let breaking = Breaking::truncate(mapped.path(), 0)?;
    let waits = || {
        Ok(residue::all_leases()?
            .iter()
            .any(|lease| lease.state == pinlease::State::Breaking))
    };
    wait_for("it waits", LIMIT, waits)?;
    breaking.signal(Signal::SIGUSR1)?;
    fails(breaking, Errno::EINTR)
}

fn fails(breaking: Breaking, expected: Errno) -> TestResult {
    let result = breaking.end(LIMIT)?.result();
    ensure!(result == Err(expected), "{result:?}, not {expected}");
    Ok(())
}
