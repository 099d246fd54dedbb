// SPDX-License-Identifier: GPL-2.0
//! Waiting for several things at once.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

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
    catch(&[Signal::SIGINT, Signal::SIGTERM])
}

/// The same of all signals that end a command in daily use, for one that must clean up.  Who writes to a
/// pipe that nobody reads gets an error.
pub fn catch_every_end() -> Result<SignalFd> {
    catch(&[
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
    ])
}

fn catch(which: &[Signal]) -> Result<SignalFd> {
    let signals: SigSet = which.iter().copied().collect();
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

/// Waits until it can be read, or has failed, but no longer than `limit`; tells whether it can.
pub fn for_one_within(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timeout that does not fit is as good as the longest, and then it is waited for again.
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("poll"),
            Ok(0) if Instant::now() < deadline => {}
            Ok(ready) => return Ok(ready != 0),
        }
    }
}
