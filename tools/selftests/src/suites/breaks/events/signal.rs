// SPDX-License-Identifier: GPL-2.0
//! SIGIO and its like.

use std::{
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
    sys::signal::Signal,
    unistd::Pid,
};
use pinlease::{Lease, Policy};

use super::{Own, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{channel::channel, expect::errno, process, Signals},
};

/// From <asm-generic/fcntl.h>; libc lacks it.
const F_SETSIG: libc::c_int = 10;

fn set(lease: &Lease, command: libc::c_int, value: libc::c_int) -> nix::Result<()> {
    // SAFETY: the command takes an integer.
    let result = unsafe { libc::fcntl(lease.as_fd().as_raw_fd(), command, value) };
    Errno::result(result).map(drop)
}

fn set_async(lease: &Lease) -> Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(lease, FcntlArg::F_GETFL)?);
    fcntl(lease, FcntlArg::F_SETFL(flags | OFlag::O_ASYNC))?;
    Ok(())
}

/// SIGIO by default; another signal, a real-time one, by F_SETSIG, which tells
/// of which lease.
pub fn signals(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let real_time = libc::SIGRTMIN() + 3;
    let signals = Signals::new(&[libc::SIGIO, libc::SIGUSR2, real_time])?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    let refuse = || errno("a breaker", own.cut_here(), Errno::ETXTBSY);

    refuse()?;
    signals.none().context("without O_ASYNC")?;
    set(&lease, libc::F_SETOWN, Pid::this().as_raw())?;
    set_async(&lease)?;
    refuse()?;
    let signal = signals.next(LIMIT).context("SIGIO")?;
    ensure!(signal.ssi_signo == libc::SIGIO as u32, "{signal:?}");
    signals.none()?;

    // Another lease of the same file, so that it matters which one it is.
    let other = own.lease(Policy::Refuse, Duration::ZERO)?;
    for lease in [&lease, &other] {
        set(lease, libc::F_SETOWN, Pid::this().as_raw())?;
        set(lease, F_SETSIG, real_time)?;
        set_async(lease)?;
    }
    refuse()?;
    let mut fds = vec![lease.as_fd().as_raw_fd(), other.as_fd().as_raw_fd()];
    for _ in 0..2 {
        let signal = signals.next(LIMIT).context("a real-time signal")?;
        ensure!(signal.ssi_signo == real_time as u32, "{signal:?}");
        let band = (libc::POLLIN | libc::POLLPRI) as u32;
        ensure!(
            signal.ssi_band & band != 0,
            "si_band {:#x} has neither POLLIN nor POLLPRI",
            signal.ssi_band
        );
        let known = fds.iter().position(|&fd| fd == signal.ssi_fd);
        fds.remove(known.with_context(|| format!("si_fd {} of {fds:?}", signal.ssi_fd))?);
    }
    signals.none()?;
    drop(other);

    // What the library has for it.
    lease.notify_by_signal(Some(Signal::SIGUSR2))?;
    refuse()?;
    let signal = signals.next(LIMIT).context("SIGUSR2")?;
    ensure!(
        signal.ssi_signo == libc::SIGUSR2 as u32 && signal.ssi_fd == lease.as_fd().as_raw_fd(),
        "{signal:?}"
    );
    lease.notify_by_signal(None)?;
    refuse()?;
    signals.none().context("when it was switched off")
}

/// F_SETOWN sends it to another process.
pub fn owner(context: &Context) -> TestResult {
    let own = Own::new(context)?;
    let lease = own.lease(Policy::Refuse, Duration::ZERO)?;
    let (sender, mut receiver) = channel::<bool>()?;
    let ours = Signals::new(&[libc::SIGIO])?;
    let child = process::spawn(move || {
        let signals = Signals::new(&[libc::SIGIO])?;
        sender.send(&true)?;
        let signal = signals.next(LIMIT)?;
        ensure!(signal.ssi_signo == libc::SIGIO as u32, "{signal:?}");
        Ok(())
    })?;
    receiver.receive(LIMIT)?.context("the child failed")?;
    set(&lease, libc::F_SETOWN, child.pid().as_raw())?;
    set_async(&lease)?;
    errno("a breaker", own.cut_here(), Errno::ETXTBSY)?;
    child.join()?;
    ours.none().context("in the other process")
}
