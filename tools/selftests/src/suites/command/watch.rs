// SPDX-License-Identifier: GPL-2.0
//! `pinlease watch`.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use nix::sys::signal::Signal;
use pinlease::Policy;
use serde_json::Value;

use super::common::{field, number, parse, pinlease, setup, text, Breaker, LONG, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, Fill, Mapped, Program},
};

/// Starts watching, and waits until it does.
pub(super) fn start(context: &Context, arguments: &[&str]) -> Result<Program> {
    let arguments = [&["watch"], arguments].concat();
    let watch = Program::start(&mut pinlease(context, &arguments)?)?;
    // That for signals, and the watch.
    let watching = || Ok(watch.anonymous_files()? >= 2);
    wait_for("it watches", Duration::from_secs(20), watching)?;
    Ok(watch)
}

/// Ends it by `signal`: no failure, and nothing more to say.
pub(super) fn end(watch: Program, signal: Signal) -> TestResult {
    watch.signal(signal)?;
    let (status, errors) = watch.end()?;
    ensure!(status.code() == Some(0), "{signal}: {status}: {errors}");
    ensure!(errors.is_empty(), "{errors}");
    Ok(())
}

/// A lease's life, with all fields; each line comes when it happens.
pub fn json(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "watch")?;
    let mut watch = start(context, &["--json"])?;
    let begin = pinlease::monotonic();
    let lease = device
        .lease(&mapped)
        .range(PAGE, 2 * PAGE)
        .policy(Policy::Kill)
        .grace(LONG)
        .acquire()?;
    let id = lease.query()?.id;

    let acquired = parse(&watch.line()?)?;
    field(&acquired, "kind", "acquired")?;
    field(&acquired, "lease", id)?;
    field(&acquired, "path", text(mapped.path())?)?;
    field(&acquired, "offset", PAGE)?;
    field(&acquired, "length", 2 * PAGE)?;
    field(&acquired, "policy", "kill")?;
    field(&acquired, "operation", Value::Null)?;
    field(&acquired, "deadline_ns", Value::Null)?;

    let breaker = Breaker::truncate(mapped.path())?;
    let broken = parse(&watch.line()?)?;
    field(&broken, "kind", "break")?;
    field(&broken, "lease", id)?;
    field(&broken, "operation", "truncate")?;
    field(&broken, "pid", breaker.pid())?;
    field(&broken, "comm", Breaker::COMM)?;
    field(&broken, "offset", 0)?;
    ensure!(number(&broken, "breaker")? != 0, "no breaker: {broken}");
    let at = Duration::from_nanos(number(&broken, "time_ns")?);
    ensure!(at >= begin && at <= pinlease::monotonic(), "time: {broken}");
    let deadline = Duration::from_nanos(number(&broken, "deadline_ns")?);
    // Rounded to the kernel's clock tick.
    ensure!(
        deadline.abs_diff(at + LONG) < Duration::from_millis(100),
        "deadline: {broken}"
    );
    let remaining = Duration::from_millis(number(&broken, "remaining_ms")?);
    ensure!(!remaining.is_zero() && remaining <= LONG, "{broken}");

    drop(lease);
    breaker.join()?;
    let released = parse(&watch.line()?)?;
    field(&released, "kind", "released")?;
    field(&released, "lease", id)?;
    field(&released, "path", text(mapped.path())?)?;
    end(watch, Signal::SIGTERM)
}

/// The same for people, and for a lease that was there before.
pub fn as_text(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "watch-text")?;
    let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
    let id = lease.query()?.id;
    let mut watch = start(context, &[])?;
    let breaker = Breaker::truncate(mapped.path())?;
    let pid = breaker.pid();
    let Err(error) = breaker.join() else {
        bail!("the policy is refuse, but the file is truncated");
    };
    ensure!(error.to_string().contains("busy"), "{error}");

    let line = watch.line()?;
    let (time, rest) = line.split_once(' ').unwrap_or_default();
    ensure!(time.len() == 24 && time.ends_with('Z'), "time: {line}");
    let path = mapped.path().display();
    let begin = format!(
        "lease {id} refused: truncate 0,end by {pid} {}, refuse, {path}",
        Breaker::COMM
    );
    ensure!(rest == begin, "{line}\nis not\n{begin}");
    drop(lease);
    let line = watch.line()?;
    ensure!(line.contains(&format!(" lease {id} released")), "{line}");
    end(watch, Signal::SIGINT)
}

/// Leases of other files do not show.
pub fn path(context: &Context) -> TestResult {
    let (device, wanted) = setup(context, "watch-wanted")?;
    let other = Mapped::create(&context.path("watch-other"), PAGES, Fill::Faulted)?;
    let mut watch = start(context, &["--json", "--path", text(wanted.path())?])?;
    drop(device.lease(&other).acquire()?);
    let lease = device.lease(&wanted).acquire()?;
    let id = lease.query()?.id;
    let event = parse(&watch.line()?)?;
    field(&event, "kind", "acquired")?;
    field(&event, "lease", id)?;
    field(&event, "path", text(wanted.path())?)?;
    drop(device.lease(&other).acquire()?);
    nothing(&mut watch)?;
    drop(lease);
    let event = parse(&watch.line()?)?;
    field(&event, "kind", "released")?;
    field(&event, "lease", id)?;
    end(watch, Signal::SIGTERM)
}

/// No line is on its way.
fn nothing(watch: &mut Program) -> TestResult {
    let line = watch.line_within(Duration::from_secs(1))?;
    ensure!(line.is_none(), "{line:?}");
    Ok(())
}
