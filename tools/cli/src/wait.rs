// SPDX-License-Identifier: GPL-2.0
//! Waiting for several things at once.

use std::os::fd::BorrowedFd;

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::{
        signal::{SigSet, Signal},
        signalfd::SignalFd,
    },
};

/// From now on SIGINT and SIGTERM do not end the process, but can be read.
pub fn catch_end() -> Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("sigprocmask")?;
    SignalFd::new(&signals).context("signalfd")
}

/// Waits until at least one can be read, or has failed; tells which.
pub fn for_any<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Result<[bool; N]> {
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("poll"),
            Ok(_) => return Ok(fds.map(|fd| fd.any().unwrap_or(false))),
        }
    }
}
