// SPDX-License-Identifier: GPL-2.0
//! execve(2) in the middle of a break.

use std::{
    ffi::{CStr, CString},
    fs,
    os::unix::{ffi::OsStrExt, fs::fchown, fs::PermissionsExt},
    path::Path,
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    sys::{
        signal::{kill, Signal},
        wait::WaitStatus,
    },
    unistd::{execv, setresuid, Pid, Uid},
};
use pinlease::{Device, Policy, State};

use super::{cut, file, hold_by, resumes, waits, AGES, GRACE, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::channel,
        proc::wait_for,
        process::{self, Forked},
        residue::none_left,
        Breaking, Mapped,
    },
};

const SLEEP: &CStr = c"/bin/sleep";

/// A holder that executes `program` when its lease is being broken; the breaker.
fn start(
    mapped: &Mapped,
    grace: Duration,
    cloexec: bool,
    nobody: bool,
    program: &CStr,
) -> Result<(Forked, Breaking)> {
    let (order, mut orders) = channel::<u32>()?;
    let (say, mut said) = channel::<u32>()?;
    let device = Device::open()?;
    let holder = process::spawn(|| {
        if nobody {
            process::become_nobody()?;
        }
        let _held = hold_by(&device, mapped, Policy::Kill, grace, cloexec)?;
        say.send(&1)?;
        orders.receive(LIMIT)?;
        execv(program, &[c"sleep", c"60"])?;
        Ok(())
    })?;
    said.receive(LIMIT)?.context("the holder failed")?;
    let breaking = cut(mapped.path())?;
    order.send(&1)?;
    Ok((holder, breaking))
}

fn is_sleeping(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "sleep")
}

fn end(holder: Forked) -> Result<WaitStatus> {
    // It may be dead already.
    let _ = kill(holder.pid(), Signal::SIGTERM);
    holder.wait(LIMIT)
}

/// Close-on-exec is an answer.
pub fn closes(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (holder, breaking) = start(&mapped, AGES, true, false, SLEEP)?;
    resumes(breaking)?;
    ensure!(is_sleeping(holder.pid()), "the holder did not execute");
    let status = end(holder)?;
    ensure!(
        matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _)),
        "the holder was {status:?}"
    );
    Ok(())
}

/// Without it the program is the holder, and is killed.
pub fn killed(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let grace = 2 * GRACE;
    let (holder, breaking) = start(&mapped, grace, false, false, SLEEP)?;
    waits(&breaking)?;
    ensure!(is_sleeping(holder.pid()), "the holder did not execute");
    let broken = resumes(breaking)?;
    ensure!(broken.took() >= grace, "too early: {:?}", broken.took());
    holder.wait_killed(LIMIT).context("the holder")?;
    Ok(())
}

/// A set-uid program that its caller may kill is killed, as by kill(2).
pub fn set_uid(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let nobody = Some(process::NOBODY);
    fchown(mapped.file(), nobody, nobody)?;
    let program = context.path("set-uid-sleep");
    let result = with_program(&mapped, &program);
    let _ = fs::remove_file(&program);
    result
}

fn with_program(mapped: &Mapped, program: &Path) -> TestResult {
    fs::copy("/bin/sleep", program).context("copying sleep")?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o4755))?;
    let path = CString::new(program.as_os_str().as_bytes())?;
    let (holder, breaking) = start(mapped, 4 * GRACE, false, true, &path)?;
    let status = format!("/proc/{}/status", holder.pid());
    let is_root = || Ok(fs::read_to_string(&status)?.contains("Uid:\t65534\t0\t0\t0"));
    wait_for("the program is root's", 3 * GRACE, is_root)?;
    resumes(breaking)?;
    holder.wait_killed(LIMIT).context("the set-uid program")?;
    Ok(())
}

/// Who has become another user cannot be killed by what it was; what it holds
/// is revoked.
pub fn another_user(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let nobody = Some(process::NOBODY);
    fchown(mapped.file(), nobody, nobody)?;
    let (order, mut orders) = channel::<u32>()?;
    let (say, mut said) = channel::<u32>()?;
    let device = Device::open()?;
    let holder = process::spawn(|| {
        let (nobody, root) = (Uid::from_raw(process::NOBODY), Uid::from_raw(0));
        setresuid(nobody, nobody, root)?;
        let (lease, _) = hold_by(&device, &mapped, Policy::Kill, GRACE, true)?;
        setresuid(root, root, root)?;
        say.send(&1)?;
        orders.receive(LIMIT)?;
        let query = lease.query()?;
        ensure!(
            query.state == State::Withdrawn && query.pins == 0,
            "not revoked: {query:?}"
        );
        Ok(())
    })?;
    said.receive(LIMIT)?.context("the holder failed")?;
    let broken = cut(mapped.path())?.end(LIMIT)?;
    broken.result()?;
    ensure!(broken.took() >= GRACE, "too early: {:?}", broken.took());
    order.send(&1)?;
    holder.join().context("it was to live")?;
    none_left()
}
