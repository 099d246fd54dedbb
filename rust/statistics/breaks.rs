// SPDX-License-Identifier: GPL-2.0

//! How breaks ended, for the breaker.

use super::counter::Counter;
use crate::bindings;
use kernel::prelude::*;

/// How a break ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Outcome {
    /// Holders gave way: they unpinned, shrank or closed.
    Released = bindings::PINLEASE_OUTCOME_RELEASED,
    /// It could go on after a holder was killed.
    Killed = bindings::PINLEASE_OUTCOME_KILLED,
    /// It could go on after pins were taken away.
    Revoked = bindings::PINLEASE_OUTCOME_REVOKED,
    /// `ETXTBSY`: a policy refuses, or the breaker could not wait.
    Refused = bindings::PINLEASE_OUTCOME_REFUSED,
    /// `EAGAIN`: it does not wait.
    WouldWait = bindings::PINLEASE_OUTCOME_WOULD_WAIT,
    /// `EDEADLK`: it would have waited for itself.
    Deadlock = bindings::PINLEASE_OUTCOME_DEADLOCK,
    /// `EBUSY`: it took too long.
    TimedOut = bindings::PINLEASE_OUTCOME_TIMED_OUT,
    /// A signal came.
    Interrupted = bindings::PINLEASE_OUTCOME_INTERRUPTED,
}

impl Outcome {
    pub(crate) const ALL: [Self; 8] = [
        Self::Released,
        Self::Killed,
        Self::Revoked,
        Self::Refused,
        Self::WouldWait,
        Self::Deadlock,
        Self::TimedOut,
        Self::Interrupted,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Killed => "killed",
            Self::Revoked => "revoked",
            Self::Refused => "refused",
            Self::WouldWait => "would_wait",
            Self::Deadlock => "deadlock",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }

    /// Of a breaker that failed; `None`: that was not because of a lease.
    pub(crate) fn of_error(error: Error) -> Option<Self> {
        match error {
            ETXTBSY => Some(Self::Refused),
            EAGAIN => Some(Self::WouldWait),
            EDEADLK => Some(Self::Deadlock),
            EBUSY => Some(Self::TimedOut),
            ERESTARTSYS | EINTR => Some(Self::Interrupted),
            _ => None,
        }
    }

    fn counter(self) -> &'static Counter {
        static COUNTERS: [Counter; Outcome::ALL.len()] =
            [const { Counter::new() }; Outcome::ALL.len()];
        &COUNTERS[self as usize]
    }

    /// Counts it.
    pub(crate) fn count(self) {
        self.counter().add(1);
    }

    /// How many ended so.
    pub(super) fn counted(self) -> u64 {
        self.counter().get()
    }
}
