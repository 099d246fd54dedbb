// SPDX-License-Identifier: GPL-2.0
//! A process that breaks a lease.

use std::{ffi::CStr, os::fd::AsFd, path::Path, time::Duration};

use anyhow::{ensure, Context, Result};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{kill, sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal},
        wait::WaitStatus,
    },
    unistd::{truncate, Pid},
};
use pinlease::monotonic;
use serde::{Deserialize, Serialize};

use super::{
    channel::{channel, readable, Receiver},
    process::Tied,
};

/// What ends a breaker that waits for too long.
const BURIAL: Duration = Duration::from_secs(10);

/// What a breaker's process is called.
pub const BREAKER_NAME: &CStr = c"breaker";

/// What a breaker's SIGUSR1 does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Handler {
    /// A handler without `SA_RESTART`.
    #[default]
    Interrupts,
    /// A handler with it.
    Restarts,
}

/// A breaker under way; dropping it kills it.
#[derive(Debug)]
pub struct Breaking {
    process: Tied,
    messages: Receiver<Message>,
}

/// How a breaker ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Broken {
    /// When it began.
    pub begin: Duration,
    /// When it returned.
    pub end: Duration,
    /// With which errno; 0 is success.
    errno: i32,
}

#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Begins,
    Ended(Broken),
}

impl Broken {
    /// What it returned.
    ///
    /// # Errors
    ///
    /// The operation's errno.
    pub fn result(self) -> nix::Result<()> {
        match self.errno {
            0 => Ok(()),
            errno => Err(Errno::from_raw(errno)),
        }
    }

    /// How long it took.
    pub fn took(self) -> Duration {
        self.end.saturating_sub(self.begin)
    }
}

extern "C" fn ignore(_: i32) {}

/// Sets what SIGUSR1 does to this process.
///
/// # Errors
///
/// sigaction(2)'s.
pub fn handle_usr1(handler: Handler) -> nix::Result<()> {
    let flags = match handler {
        Handler::Interrupts => SaFlags::empty(),
        Handler::Restarts => SaFlags::SA_RESTART,
    };
    let action = SigAction::new(SigHandler::Handler(ignore), flags, SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.map(drop)
}

impl Breaking {
    /// Begins `operation` in a process of its own; returns when it is about to.
    ///
    /// # Errors
    ///
    /// fork(2)'s.
    pub fn begin(handler: Handler, operation: impl FnOnce() -> nix::Result<()>) -> Result<Self> {
        let (sender, messages) = channel()?;
        let process = Tied::spawn(move || {
            handle_usr1(handler)?;
            prctl::set_name(BREAKER_NAME)?;
            sender.send(&Message::Begins)?;
            let begin = monotonic();
            let result = operation();
            let end = monotonic();
            sender.send(&Message::Ended(Broken {
                begin,
                end,
                errno: result.err().map_or(0, |errno| errno as i32),
            }))
        })?;
        let mut breaking = Self { process, messages };
        let first = breaking.messages.receive(BURIAL)?;
        ensure!(
            matches!(first, Some(Message::Begins)),
            "the breaker did not begin: {first:?}"
        );
        Ok(breaking)
    }

    /// Begins to cut a file off at `length`, by truncate(2).
    ///
    /// # Errors
    ///
    /// fork(2)'s.
    pub fn truncate(path: &Path, length: u64) -> Result<Self> {
        Self::begin(Handler::Interrupts, || truncate(path, length as i64))
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// kill(2)'s.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).context("signalling the breaker")
    }

    /// Whether it has returned, or is gone.
    ///
    /// # Errors
    ///
    /// poll(2)'s.
    pub fn has_ended(&self, within: Duration) -> Result<bool> {
        readable(self.messages.as_fd(), within)
    }

    /// Waits until it returns.
    ///
    /// # Errors
    ///
    /// It does not within `limit`, and is killed.
    pub fn end(mut self, limit: Duration) -> Result<Broken> {
        let message = self
            .messages
            .receive(limit)
            .context("the breaker does not return")?;
        let Some(Message::Ended(broken)) = message else {
            anyhow::bail!("the breaker ended without a result");
        };
        self.process.join().context("the breaker")?;
        Ok(broken)
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// It does not go.
    pub fn kill(mut self) -> Result<WaitStatus> {
        self.signal(Signal::SIGKILL)?;
        self.process.wait(BURIAL).context("a killed breaker")
    }
}
