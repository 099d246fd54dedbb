// SPDX-License-Identifier: GPL-2.0
//! `pinlease quiesce` lets a livepatch of a hooked function in.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{bail, ensure, Context as _, Result};
use pinlease::{AcquireError, Device, PinOptions};

use super::{livepatch::livepatch, no_hooks, saw, Begin, LIMIT};
use crate::{
    harness::{Context, TestResult},
    suites::command::common::{fails, pinlease, run, setup},
    support::{page_size, proc::hooked_functions, Mapped},
};

/// Allows leases again, whatever became of the test.
struct Ended<'a>(&'a Device);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let _ = self.0.end_quiescence();
    }
}

/// No new lease, the old one is waited for, the livepatch comes in, and all is undone.
pub(super) fn lets_a_livepatch_in(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "quiesce")?;
    let _ended = Ended(&device);
    let lease = device.lease(&mapped).acquire()?;

    let complaint = "1 leases are still there";
    fails(context, &["quiesce", "--timeout", "0s"], complaint)?;
    refused(&device, &mapped, AcquireError::Quiesced).context("while the old lease lives")?;
    // Which is as good as before.
    lease
        .pin(mapped.address(0), page_size(), PinOptions::default())?
        .release()?;

    let (mut waiting, mut output) = start(context)?;
    // What was done, and the holder.
    let lines: Vec<String> = output.by_ref().take(2).collect::<Result<_, _>>()?;
    let me = format!("process {} ", std::process::id());
    ensure!(
        lines.iter().any(|line| line.contains(&me)),
        "the holder is not named: {lines:?}"
    );
    ensure!(waiting.try_wait()?.is_none(), "it does not wait");
    drop(lease);
    let status = waiting.wait()?;
    let last = output.last().transpose()?.unwrap_or_default();
    ensure!(
        status.success() && last.starts_with("all hooks are out"),
        "pinlease quiesce: {status}: {last}"
    );
    ensure!(hooked_functions()?.is_empty(), "hooks are left");

    let mut patch = match livepatch(context)? {
        Begin::Runs(patch) => patch,
        Begin::Refused(why) => bail!("the livepatch was refused: {why}"),
    };
    saw(&mut *patch, context)?;
    refused(&device, &mapped, AcquireError::Quiesced).context("with the livepatch")?;
    run(context, &["quiesce", "--end"])?;
    refused(&device, &mapped, AcquireError::HookTaken).context("with the livepatch, later")?;
    patch.end()?;
    device.lease(&mapped).acquire().context("afterwards")?;
    Ok(())
}

/// Without hooks it does not wait, leases come back, and only an administrator may do it.
pub(super) fn rights(context: &Context) -> TestResult {
    let (device, mapped) = setup(context, "quiesce")?;
    let _ended = Ended(&device);
    no_hooks()?;
    for arguments in [&["quiesce"][..], &["quiesce", "--end"]] {
        let output = unprivileged(context, arguments)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && said.contains("permission denied"),
            "{arguments:?}: {said}"
        );
    }
    ensure!(
        !device.quiescence()?.no_new_leases,
        "it was done without a right"
    );
    run(context, &["quiesce", "--timeout", "0s"])?;
    refused(&device, &mapped, AcquireError::Quiesced)?;
    // Everybody may know, and doctor tells.
    ensure!(device.quiescence()?.no_new_leases, "it is not told");
    let doctor = pinlease(context, &["doctor"])?.output()?;
    let text = String::from_utf8_lossy(&doctor.stdout);
    ensure!(
        !doctor.status.success() && text.contains("failed   new leases "),
        "{text}"
    );
    run(context, &["quiesce", "--end"])?;
    device.lease(&mapped).acquire()?;
    Ok(())
}

/// The command without CAP_SYS_ADMIN.
fn unprivileged(context: &Context, arguments: &[&str]) -> Result<Command> {
    let command = pinlease(context, arguments)?;
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    setpriv.arg(command.get_program()).args(command.get_args());
    Ok(setpriv)
}

fn refused(device: &Device, mapped: &Mapped, expected: AcquireError) -> Result<()> {
    match device.lease(mapped).acquire() {
        Ok(_) => bail!("a lease was had"),
        Err(error) => {
            ensure!(error == expected, "{error}");
            Ok(())
        }
    }
}

/// Starts to wait; gives the lines that it prints, too.
fn start(context: &Context) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    let limit = format!("{}s", Duration::as_secs(&LIMIT));
    let mut child = pinlease(context, &["quiesce", "--timeout", &limit])?
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("a pipe")?;
    Ok((child, BufReader::new(output).lines()))
}
