// SPDX-License-Identifier: GPL-2.0
//! Signals that are read instead of delivered.

use std::{os::fd::AsFd, time::Duration};

use anyhow::{ensure, Context, Result};
use nix::{
    errno::Errno,
    sys::{
        signal::SigSet,
        signalfd::{siginfo, SfdFlags, SignalFd},
    },
};

use super::channel::readable;

/// Signals of this process, blocked as long as it lives.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes these signals, real-time ones among them.
    ///
    /// # Errors
    ///
    /// signalfd(2)'s.
    pub fn new(signals: &[libc::c_int]) -> Result<Self> {
        let mut set = *SigSet::empty().as_ref();
        for &signal in signals {
            // SAFETY: the set is initialised.
            Errno::result(unsafe { libc::sigaddset(&mut set, signal) })?;
        }
        // SAFETY: the set is initialised.
        let set = unsafe { SigSet::from_sigset_t_unchecked(set) };
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags)?))
    }

    /// The next one.
    ///
    /// # Errors
    ///
    /// None comes within `limit`.
    pub fn next(&self, limit: Duration) -> Result<siginfo> {
        ensure!(readable(self.0.as_fd(), limit)?, "no signal");
        self.0.read_signal()?.context("no signal")
    }

    /// Asserts that there is none.
    ///
    /// # Errors
    ///
    /// There is one.
    pub fn none(&self) -> Result<()> {
        let signal = self.0.read_signal()?;
        ensure!(signal.is_none(), "one signal too many: {signal:?}");
        Ok(())
    }
}
