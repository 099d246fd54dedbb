// SPDX-License-Identifier: GPL-2.0
//! A breaker's process is told as its reader may see it.

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use nix::sched::{unshare, CloneFlags};
use pinlease::{Lease, Policy};

use super::{Own, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{channel::channel, process},
};

/// What a reader was told of the breaker.
type Told = (Option<i32>, String);

/// Readers inside and outside of the breaker's pid namespace.
pub fn namespaces(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;

    // The breaker is outside of the reader's namespace.
    let (pid, result) = breaker(&own, false)?;
    ensure!(result.is_err(), "not refused");
    let told = in_namespace(|| read(&lease))?;
    ensure!(
        told == (None, String::new()),
        "a breaker outside of the reader's pid namespace, {pid}: {told:?}"
    );

    // The breaker is in a namespace below the reader's.
    let (pid, result) = breaker(&own, true)?;
    ensure!(result.is_err(), "not refused");
    let (told, comm) = read(&lease)?;
    ensure!(
        told == Some(pid) && !comm.is_empty(),
        "a breaker in a pid namespace below, here {pid}: {told:?} {comm:?}"
    );
    Ok(())
}

fn read(lease: &Lease) -> Result<Told> {
    let event = super::next(lease)?;
    Ok((event.pid, event.comm))
}

/// Cuts the file in a process of its own; tells its pid as it is here.
fn breaker(own: &Own, below: bool) -> Result<(i32, nix::Result<()>)> {
    if !below {
        let child = process::spawn(|| own.cut_here().map_err(Into::into))?;
        let pid = child.pid().as_raw();
        return Ok((pid, failed(child.join())));
    }
    let (sender, mut receiver) = channel::<i32>()?;
    let between = process::spawn(move || {
        unshare(CloneFlags::CLONE_NEWPID)?;
        let child = process::spawn(|| own.cut_here().map_err(Into::into))?;
        sender.send(&child.pid().as_raw())?;
        child.join()
    })?;
    let pid = receiver.receive(LIMIT)?.context("no breaker")?;
    Ok((pid, failed(between.join())))
}

/// Which errno it was, other tests ask.
fn failed(result: Result<()>) -> nix::Result<()> {
    result.map_err(|_| nix::errno::Errno::ETXTBSY)
}

/// Runs `run` in a process of a pid namespace of its own.
fn in_namespace(run: impl FnOnce() -> Result<Told>) -> Result<Told> {
    let (sender, mut receiver) = channel()?;
    let between = process::spawn(move || {
        unshare(CloneFlags::CLONE_NEWPID)?;
        process::spawn(move || sender.send(&run()?))?.join()
    })?;
    let told = receiver.receive(LIMIT)?.context("no answer")?;
    between.join()?;
    Ok(told)
}
