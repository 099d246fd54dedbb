// SPDX-License-Identifier: GPL-2.0
//! The process that truncates.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    unistd::{truncate, Pid},
};
use pinlease::monotonic;

use selftests::support::{
    channel::{channel, Receiver, Sender},
    proc::wait_for,
    process::Tied,
};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Between two rounds nothing takes as long.
const PAUSE: Duration = Duration::from_secs(300);

/// Truncates a file whenever it is told to; dropping it ends it.
#[derive(Debug)]
pub(super) struct Truncating {
    process: Tied,
    orders: Sender<()>,
    done: Receiver<(Duration, Duration, i32)>,
}

impl Truncating {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// fork(2)'s.
    pub(super) fn start(path: &Path) -> Result<Self> {
        let (orders, mut ordered) = channel()?;
        let (report, done) = channel()?;
        let path = path.to_owned();
        let process = Tied::spawn(move || loop {
            ordered.receive(PAUSE)?;
            let begin = monotonic();
            let result = truncate(&path, 0);
            let end = monotonic();
            let errno = result.err().map_or(0, |errno| errno as i32);
            report.send(&(begin, end, errno))?;
        })?;
        Ok(Self {
            process,
            orders,
            done,
        })
    }

    /// Has it truncate.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub(super) fn begin(&self) -> Result<()> {
        self.orders.send(&())
    }

    /// Waits until it sleeps in truncate(2), interruptibly: that is for the
    /// lease, for whatever else it waits it does so in state D.
    ///
    /// # Errors
    ///
    /// It does not.
    pub(super) fn wait_asleep(&self) -> Result<()> {
        let pid = self.process.pid();
        wait_for("the breaker sleeps", LIMIT, || sleeps(pid)).map(drop)
    }

    /// When it began and returned.
    ///
    /// # Errors
    ///
    /// truncate(2)'s, or it does not return.
    pub(super) fn end(&mut self) -> Result<(Duration, Duration)> {
        let done = self.done.receive(LIMIT).context("the breaker")?;
        let (begin, end, errno) = done.context("the breaker is gone")?;
        match errno {
            0 => Ok((begin, end)),
            errno => Err(Errno::from_raw(errno)).context("truncate"),
        }
    }
}

fn sleeps(pid: Pid) -> Result<bool> {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let truncates = call.split_whitespace().next() == Some(&libc::SYS_truncate.to_string());
    Ok(truncates && status.contains("State:\tS"))
}
