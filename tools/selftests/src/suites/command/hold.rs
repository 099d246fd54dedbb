// SPDX-License-Identifier: GPL-2.0
//! `pinlease hold`.  The breaker is the test itself; a break that nobody
//! answers hangs it until the test's time is over.

use std::{
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};
use nix::{
    fcntl::{fallocate, FallocateFlags},
    sys::signal::Signal,
};
use pinlease::{Device, LeaseInfo, Policy, State};

use super::common::{fails, field, json, pinlease, setup, text, LONG, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, Mapped, Program},
};

/// A grace that is over soon.
const SHORT: Duration = Duration::from_millis(700);

/// How much longer than the grace a break may take, on a slow machine.
const SLACK: Duration = Duration::from_secs(10);

/// Starts holding the file, and waits until the lease is there.
fn start(context: &Context, mapped: &Mapped, options: &[&str]) -> Result<(Program, String)> {
    let arguments = [&["hold", text(mapped.path())?], options].concat();
    let mut hold = Program::start(&mut pinlease(context, &arguments)?)?;
    let line = hold.line()?;
    Ok((hold, line))
}

/// The one lease that there is.
fn lease(device: &Device) -> Result<LeaseInfo> {
    let leases = device.leases().collect::<Result<Vec<_>, _>>()?;
    match leases.as_slice() {
        [lease] => Ok(lease.clone()),
        _ => bail!("not one lease: {leases:?}"),
    }
}

/// The program has ended with `status`, and the lease with it.
fn ended(hold: Program, device: &Device, status: i32) -> Result<String> {
    let (ended, errors) = hold.end()?;
    ensure!(ended.code() == Some(status), "{ended}: {errors}");
    let gone = || Ok(device.leases().next().is_none());
    wait_for("the lease is gone", Duration::from_secs(10), gone)?;
    Ok(errors)
}

/// Cuts the file to nothing; tells how long that took.
fn truncate(mapped: &Mapped) -> Result<Duration> {
    let begin = Instant::now();
    mapped.file().set_len(0).context("truncate")?;
    Ok(begin.elapsed())
}

/// What it holds, and the three ways to end it.
pub fn until_the_end(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold")?;
    let range = format!("{}:4K,8K", text(mapped.path())?);
    let arguments = ["hold", &range, "--pin", "--policy", "block"];
    let mut hold = Program::start(&mut pinlease(context, &arguments)?)?;
    let line = hold.line()?;
    let held = lease(&device)?;
    let expected = format!(
        "{}: lease {} on 4K,8K, block, pin ",
        mapped.path().display(),
        held.id
    );
    ensure!(line.starts_with(&expected), "{line}\nis not\n{expected}");
    ensure!(
        (held.offset, held.length, held.pins) == (PAGE, 2 * PAGE, 1)
            && held.policy == Some(Policy::Block)
            && held.pid == Some(hold.pid())
            && held.comm == "pinlease",
        "{held:?}"
    );
    hold.end_input();
    ended(hold, &device, 0)?;

    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (hold, line) = start(context, &mapped, &["--grace", "1500ms"])?;
        ensure!(line.ends_with(" on 0,16K, kill after 1.5s"), "{line}");
        hold.signal(signal)?;
        let errors = ended(hold, &device, 0)?;
        ensure!(errors.is_empty(), "{errors}");
    }
    Ok(())
}

/// It lets go at once, and that is no failure.
pub fn release(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold-release")?;
    for pin in [&[][..], &["--pin"]] {
        let options = [&["--grace", "50s", "--on-break", "release"], pin].concat();
        let (mut hold, _) = start(context, &mapped, &options)?;
        let took = truncate(&mapped)?;
        ensure!(took < LONG / 2, "the grace was waited for: {took:?}");
        let line = hold.line()?;
        ensure!(
            line.contains(" break: truncate 0,end by ") && line.contains(" kill in "),
            "{line}"
        );
        ended(hold, &device, 0)?;
        mapped.file().set_len(PAGES * PAGE)?;
    }
    Ok(())
}

/// It unpins for the breaker, pins again, and keeps the lease.
pub fn unpin(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold-unpin")?;
    let options = ["--pin", "--grace", "50s", "--on-break", "unpin"];
    let (mut hold, _) = start(context, &mapped, &options)?;
    for _ in 0..2 {
        let begin = Instant::now();
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(mapped.file(), flags, PAGE as i64, PAGE as i64).context("punch")?;
        let took = begin.elapsed();
        ensure!(took < LONG / 2, "the grace was waited for: {took:?}");
        for expected in [" break: punch-hole 4K,4K by ", " over"] {
            let line = hold.line()?;
            ensure!(line.contains(expected), "no '{expected}': {line}");
        }
        let pinned = || {
            let lease = lease(&device)?;
            Ok(lease.pins == 1 && lease.pinned_bytes == PAGES * PAGE)
        };
        wait_for("it pins again", Duration::from_secs(10), pinned)?;
        let state = lease(&device)?.state;
        ensure!(state == State::Held, "{state}");
    }
    hold.end_input();
    ended(hold, &device, 0)?;
    Ok(())
}

/// Its pins are taken away after the grace; it says so, and fails.
pub fn revoked(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold-revoked")?;
    let options = ["--pin", "--policy", "revoke", "--grace", "700ms"];
    let (mut hold, _) = start(context, &mapped, &options)?;
    let took = truncate(&mapped)?;
    ensure!(
        took >= SHORT && took < SHORT + SLACK,
        "{took:?}, with a grace of {SHORT:?}"
    );
    for expected in [" break: truncate 0,end by ", " withdrawn"] {
        let line = hold.line()?;
        ensure!(line.contains(expected), "no '{expected}': {line}");
    }
    let errors = ended(hold, &device, 1)?;
    let expected = format!(
        "pinlease: {}: the lease is withdrawn",
        mapped.path().display()
    );
    ensure!(errors == expected, "{errors}\nis not\n{expected}");
    Ok(())
}

/// By default it is killed, having said what was coming.
pub fn killed(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold-killed")?;
    let (mut hold, _) = start(context, &mapped, &["--pin", "--grace", "700ms"])?;
    let took = truncate(&mapped)?;
    ensure!(
        took >= SHORT && took < SHORT + SLACK,
        "{took:?}, with a grace of {SHORT:?}"
    );
    let line = hold.line()?;
    ensure!(line.contains(" break: truncate 0,end by "), "{line}");
    let (status, errors) = hold.end()?;
    ensure!(
        status.signal() == Some(Signal::SIGKILL as i32),
        "{status}: {errors}"
    );
    let gone = || Ok(device.leases().next().is_none());
    wait_for("the lease is gone", Duration::from_secs(10), gone)?;
    Ok(())
}

/// With a grant it lets others pin, who do not ask its descriptor; which excludes some things.
pub fn grant(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "hold-grant")?;
    let path = text(mapped.path())?;
    let (mut hold, line) = start(context, &mapped, &["--grant", "--pin", "--policy", "block"])?;
    ensure!(line.contains(" on 0,16K, block, grant, pin "), "{line}");
    let list = json(context, &["ls", "--json"])?;
    field(&list[0], "grant", true)?;
    // Its own pins are among them.
    field(&list[0], "granted_bytes", PAGES * PAGE)?;
    field(&list[0], "pinned_bytes", PAGES * PAGE)?;
    let status = json(context, &["status", "--json"])?;
    field(&status["leases"], "grants", 1)?;
    field(&status["leases"], "granted_bytes", PAGES * PAGE)?;
    hold.end_input();
    ended(hold, &device, 0)?;
    fails(
        context,
        &["hold", path, "--grant", "--policy", "revoke"],
        "use kill, block or refuse",
    )?;
    fails(
        context,
        &["hold", path, "--grant", "--pin", "--on-break", "unpin"],
        "not answered by unpin",
    )
}

/// What cannot be held.
pub fn errors(context: &Context) -> TestResult {
    let (_device, mapped) = setup(context, "hold-errors")?;
    let path = text(mapped.path())?;
    fails(context, &["hold", "/no/such/file"], "/no/such/file: ")?;
    let beyond = format!("{path}:0,1G");
    fails(context, &["hold", &beyond], "beyond the end of the file")?;
    let unaligned = format!("{path}:5,4K");
    fails(context, &["hold", &unaligned], "does not begin on a page")?;
    // Only clap's own complaints have status 2.
    let result = pinlease(context, &["hold", path, "--on-break", "unpin"])?.output()?;
    ensure!(result.status.code() == Some(2), "{}", result.status);
    Ok(())
}
