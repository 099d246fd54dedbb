// SPDX-License-Identifier: GPL-2.0
//! `pinlease watch --trace`.

use std::{
    os::unix::process::CommandExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use nix::sys::signal::Signal;
use pinlease::Policy;
use serde_json::Value;

use super::{
    common::{field, number, parse, setup, text as as_text, Breaker, Opened},
    watch::{end, start},
};
use crate::{
    harness::{Context, TestResult},
    support::{page_size, process::NOBODY, tracer, Program},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Tracepoints come between the events, and the buffer goes with the command, whichever signal ends
/// it.
pub fn text(context: &Context) -> TestResult {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (device, mapped) = setup(context, "watch-trace")?;
        let mut watch = start(context, &["--trace"])?;
        ensure!(buffers()?.len() == 1, "{:?}", buffers()?);
        let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
        let id = lease.query()?.id;
        let breaker = Breaker::truncate(mapped.path())?;
        let pid = breaker.pid();
        ensure!(breaker.join().is_err(), "the truncate was not refused");
        drop(lease);

        let lines = until(&mut watch, |line| line.contains(" trace lease_release: "))?;
        let place = |part: &str| {
            let found = lines.iter().position(|line| line.contains(part));
            found.with_context(|| format!("no '{part}' in {lines:#?}"))
        };
        let acquired = place(&format!(" lease {id} acquired"))?;
        let refused = place(&format!(" lease {id} refused: truncate"))?;
        let refuse = place(" trace lease_refuse: ")?;
        ensure!(
            acquired < refused && acquired < refuse,
            "the order: {lines:#?}"
        );
        let line = &lines[refuse];
        // The name of a process that has just called execve(2) may be its old one: ftrace notes names
        // when processors change tasks.
        ensure!(
            line.contains(&format!(" lease {id} policy refuse "))
                && line.contains(&format!(" by {pid} ")),
            "{line}"
        );
        place(" trace break_done: ")?;
        // What is left of this lease's end is not looked at.
        while watch.line_within(Duration::from_millis(500))?.is_some() {}
        end(watch, signal)?;
        ensure!(buffers()?.is_empty(), "{signal}: {:?} is left", buffers()?);
    }
    orphans(context)
}

/// What a command left that was killed goes with the next.
fn orphans(context: &Context) -> TestResult {
    let watch = start(context, &["--trace"])?;
    watch.signal(Signal::SIGKILL)?;
    drop(watch.end()?);
    ensure!(buffers()?.len() == 1, "{:?}", buffers()?);
    let watch = start(context, &["--trace"])?;
    ensure!(buffers()?.len() == 1, "{:?}", buffers()?);
    while_quiet();
    watch.signal(Signal::SIGTERM)?;
    ensure!(watch.end()?.0.success(), "it failed");
    ensure!(buffers()?.is_empty(), "{:?}", buffers()?);
    Ok(())
}

fn while_quiet() {
    thread::sleep(Duration::from_millis(200));
}

/// Objects, each a line.
pub fn json(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "watch-trace-json")?;
    let mut watch = start(
        context,
        &["--trace", "--json", "--path", as_text(mapped.path())?],
    )?;
    let lease = device.lease(&mapped).acquire()?;
    let pin = lease.pin(
        mapped.address(0),
        page_size(),
        pinlease::PinOptions::default(),
    )?;
    let (id, pin_id) = (lease.query()?.id, pin.id());
    pin.release()?;
    // Of a lease that is gone, the command cannot tell the file.
    let mut lines = until(&mut watch, |line| line.contains("\"acquired\""))?;
    drop(lease);
    lines.extend(until(&mut watch, |line| {
        line.contains("\"lease_release\"")
    })?);
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| parse(line))
        .collect::<Result<_>>()?;
    let of = |name: &str| {
        let found = lines.iter().find(|line| line["trace"] == name);
        found.with_context(|| format!("no {name} in {lines:#?}"))
    };
    let pinned = of("pin")?;
    field(&pinned["fields"], "lease", id)?;
    field(&pinned["fields"], "pin", pin_id)?;
    field(&pinned["fields"], "length", page_size() as u64)?;
    field(pinned, "pid", std::process::id())?;
    let acquire = of("lease_acquire")?;
    ensure!(
        number(acquire, "time_ns")? < number(pinned, "time_ns")?,
        "{lines:#?}"
    );
    let event = lines.iter().find(|line| line["kind"] == "acquired");
    field(event.context("no event")?, "lease", id)?;
    end(watch, Signal::SIGTERM)
}

/// Who is not root is told so.
pub fn user(context: &Context) -> TestResult {
    let (_device, _mapped) = setup(context, "watch-trace-user")?;
    let _opened = Opened::for_all()?;
    let before = buffers()?;
    let mut command = Command::new(&context.command);
    command.args(["watch", "--trace"]).uid(NOBODY).gid(NOBODY);
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1)
            && errors.lines().count() == 1
            && errors.contains("run as root"),
        "{}: {errors}",
        output.status
    );
    ensure!(buffers()? == before, "{:?}, not {before:?}", buffers()?);
    Ok(())
}

/// Trace buffers of commands.
fn buffers() -> Result<Vec<String>> {
    tracer::buffers("pinlease-")
}

/// All lines, to the first for which `last` holds.
fn until(watch: &mut Program, last: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let deadline = Instant::now() + LIMIT;
    let mut lines = Vec::new();
    loop {
        ensure!(
            Instant::now() < deadline,
            "the last line did not come: {lines:#?}"
        );
        let line = watch.line().with_context(|| format!("after {lines:#?}"))?;
        let ends = last(&line);
        lines.push(line);
        if ends {
            return Ok(lines);
        }
    }
}
