// SPDX-License-Identifier: GPL-2.0
//! The leases: what others see of them, and what happens when they meet them.

use std::{
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};
use nix::sys::signal::Signal;
use pinlease::Device;
use serde_json::Value;

use super::{
    become_program,
    common::{field, json, run, setup, text, Breaker, PAGE, PAGES},
};
use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, Fill, Mapped, Program},
};

/// A grace that is over soon.
const SHORT: Duration = Duration::from_millis(700);

/// How much longer than the grace a break may take, on a slow machine.
const SLACK: Duration = Duration::from_secs(10);

/// How long what should be at once may take.
const SOON: Duration = Duration::from_secs(20);

/// Becomes cat(1), which waits for the end of its input.
fn start(context: &Context, options: &[&str]) -> Result<Program> {
    let mut program = Program::start(&mut become_program(context, options, &["cat"])?)?;
    program.say("ready")?;
    program.line()?;
    Ok(program)
}

fn end(mut program: Program, device: &Device) -> TestResult {
    program.end_input();
    let (status, errors) = program.end()?;
    ensure!(status.success(), "{status}: {errors}");
    gone(device)
}

fn gone(device: &Device) -> TestResult {
    let gone = || Ok(device.leases().next().is_none());
    wait_for("the leases are gone", SOON, gone)?;
    Ok(())
}

/// The holder is the program; policy, grace and ranges are those asked for.
pub fn listed(context: &Context) -> TestResult {
    let (device, one) = setup(context, "run-one")?;
    let two = Mapped::create(&context.path("run-two"), PAGES, Fill::Faulted)?;
    let range = format!("{}:4K,8K", text(two.path())?);
    let leases = ["--lease", text(one.path())?, "--lease", &range];
    for (options, policy, grace) in [
        (
            &["--policy", "kill", "--grace", "1500ms"],
            "kill",
            1500.into(),
        ),
        (
            &["--policy", "block", "--grace", "2s"],
            "block",
            Value::Null,
        ),
    ] {
        let program = start(context, &[&leases[..], options].concat())?;
        let list = json(
            context,
            &["ls", "--json", "--pid", &program.pid().to_string()],
        )?;
        ensure!(list.as_array().map(Vec::len) == Some(2), "not two: {list}");
        for (index, path, offset, length) in [
            (0, one.path(), 0, PAGES * PAGE),
            (1, two.path(), PAGE, 2 * PAGE),
        ] {
            let object = &list[index];
            field(object, "path", text(path)?)?;
            field(object, "offset", offset)?;
            field(object, "length", length)?;
            field(object, "pid", program.pid())?;
            field(object, "comm", "cat")?;
            field(object, "policy", policy)?;
            field(object, "grace_ms", grace.clone())?;
            field(object, "pins", 0)?;
            field(object, "grant", true)?;
            field(object, "granted_bytes", 0)?;
            field(object, "state", "held")?;
        }
        let table = run(context, &["ls"])?;
        let row: Vec<&str> = table
            .lines()
            .nth(1)
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        ensure!(
            row.len() == 13 && row[4] == "cat" && row[10] == "0" && row[11] == "-",
            "{table}"
        );
        let status = run(context, &["status"])?;
        let line = "grants: 2, with 0 bytes pinned under them";
        ensure!(status.lines().any(|found| found == line), "{status}");
        end(program, &device)?;
    }
    Ok(())
}

/// The program is killed when the grace is over, and the breaker goes on.
pub fn kill(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-kill")?;
    let program = start(
        context,
        &["--lease", text(mapped.path())?, "--grace", "700ms"],
    )?;
    let begin = Instant::now();
    mapped.file().set_len(0).context("truncate")?;
    let took = begin.elapsed();
    ensure!(
        took >= SHORT && took < SHORT + SLACK,
        "{took:?}, with a grace of {SHORT:?}"
    );
    let (status, errors) = program.end()?;
    ensure!(
        status.signal() == Some(Signal::SIGKILL as i32),
        "{status}: {errors}"
    );
    gone(&device)
}

/// The breaker waits until the program has ended.
pub fn block(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-block")?;
    let options = ["--lease", text(mapped.path())?, "--policy", "block"];
    let program = start(context, &options)?;
    let breaker = Breaker::truncate(mapped.path())?;
    let breaking = || Ok(json(context, &["ls", "--json"])?[0]["state"] == "breaking");
    wait_for("the lease is breaking", SOON, breaking)?;
    let length = mapped.file().metadata()?.len();
    ensure!(length == PAGES * PAGE, "truncated to {length}");
    end(program, &device)?;
    breaker.join()?;
    let length = mapped.file().metadata()?.len();
    ensure!(length == 0, "not truncated: {length}");
    Ok(())
}

/// The breaker fails, and the program does not notice.
pub fn refuse(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "run-refuse")?;
    let options = ["--lease", text(mapped.path())?, "--policy", "refuse"];
    let program = start(context, &options)?;
    let Err(error) = mapped.file().set_len(0) else {
        bail!("the policy is refuse, but the file is truncated");
    };
    ensure!(error.raw_os_error() == Some(libc::ETXTBSY), "{error}");
    end(program, &device)?;
    mapped.file().set_len(0).context("truncate after the end")
}
