// SPDX-License-Identifier: GPL-2.0

//! A breaker: an operation that detaches, moves or shares pages of a file.

use crate::{
    bindings,
    others::Others,
    policy::{
        lease_state::{Patience, Policy},
        range::PageRange,
    },
    statistics::breaks::Outcome,
    sys::{
        clock,
        process::{Process, COMM_LEN},
        task,
    },
};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use kernel::{
    prelude::*,
    sync::{Arc, UniqueArc},
    task::Kuid,
};

/// What a breaker does, as user space is told.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Operation {
    Truncate = bindings::PINLEASE_OPERATION_TRUNCATE,
    PunchHole = bindings::PINLEASE_OPERATION_PUNCH_HOLE,
    ZeroRange = bindings::PINLEASE_OPERATION_ZERO_RANGE,
    CollapseRange = bindings::PINLEASE_OPERATION_COLLAPSE_RANGE,
    InsertRange = bindings::PINLEASE_OPERATION_INSERT_RANGE,
    UnshareRange = bindings::PINLEASE_OPERATION_UNSHARE_RANGE,
    WriteZeroes = bindings::PINLEASE_OPERATION_WRITE_ZEROES,
    Clone = bindings::PINLEASE_OPERATION_CLONE,
    Dedupe = bindings::PINLEASE_OPERATION_DEDUPE,
    Copy = bindings::PINLEASE_OPERATION_COPY,
    Exchange = bindings::PINLEASE_OPERATION_EXCHANGE,
    DirectWrite = bindings::PINLEASE_OPERATION_DIRECT_WRITE,
    Swapon = bindings::PINLEASE_OPERATION_SWAPON,
    SetFlags = bindings::PINLEASE_OPERATION_SET_FLAGS,
}

/// Orders the breakers of a file, and the answers of its holders, in time.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// The next number. What is compared with it on the same file must be ordered by the lock of its
/// arbiter, or an answer to one breaker is taken for an answer to one that comes after it.
pub(crate) fn next_in_sequence() -> u64 {
    SEQUENCE.fetch_add(1, Ordering::Relaxed)
}

/// A breaker that has no number yet.
pub(crate) struct Coming(UniqueArc<Breaker>);

impl Coming {
    /// The caller holds the lock of the arbiter that it meets.
    pub(crate) fn numbered(mut self) -> Arc<Breaker> {
        self.0.id = next_in_sequence();
        self.0.into()
    }
}

/// An operation by a task.
pub(crate) struct Breaker {
    /// Its number in the order in which breakers came.
    pub(crate) id: u64,
    pub(crate) operation: Operation,
    pub(crate) range: PageRange,
    /// Whether leases are not in its way, but only what is pinned there.
    pub(crate) only_pins: bool,
    /// What others have pinned there.
    pub(crate) others: Others,
    /// Whether that is not so any more.
    others_gone: AtomicBool,
    /// How its way becomes free, an [`Outcome`].
    freed: AtomicU32,
    /// When it came.
    pub(crate) began: u64,
    pub(crate) process: Process,
    /// Its thread.
    pub(crate) task: usize,
    pub(crate) comm: [u8; COMM_LEN],
    pub(crate) user: Kuid,
}

impl Breaker {
    /// The current task; `began`: when it came first, if it was interrupted. May sleep. Errors:
    /// `ENOMEM`.
    pub(crate) fn current(
        operation: Operation,
        range: PageRange,
        only_pins: bool,
        others: Others,
        began: Option<u64>,
    ) -> Result<Coming> {
        let process = Process::current();
        let breaker = Self {
            id: 0,
            operation,
            range,
            only_pins,
            others,
            others_gone: AtomicBool::new(false),
            freed: AtomicU32::new(Outcome::Released as u32),
            began: began.unwrap_or_else(clock::now),
            task: task::key(),
            comm: process.name(),
            process,
            user: Kuid::current_euid(),
        };
        Ok(Coming(UniqueArc::new(breaker, GFP_KERNEL)?))
    }
}

impl Breaker {
    /// Whether others pin something in its way, or may.
    pub(crate) fn others_pin(&self) -> bool {
        self.others.pin && !self.others_gone.load(Ordering::Relaxed)
    }

    /// Its range, and what goes with it as long as others pin that.
    pub(crate) fn reach(&self) -> PageRange {
        match self.others_pin() {
            true => self.others.reach,
            false => self.range,
        }
    }

    /// Others do not pin in its way any more. The caller holds the lock of the arbiter.
    pub(crate) fn note_others_are_gone(&self) {
        self.others_gone.store(true, Ordering::Relaxed);
    }

    /// The policy of a lease in its way acts.
    pub(crate) fn note_action(&self, policy: Policy) {
        let outcome = match policy {
            Policy::Kill => Outcome::Killed,
            _ => Outcome::Revoked,
        };
        self.freed.store(outcome as u32, Ordering::Relaxed);
    }

    /// How its way became free.
    pub(crate) fn freed(&self) -> Outcome {
        let freed = self.freed.load(Ordering::Relaxed);
        let mut outcomes = Outcome::ALL.into_iter();
        outcomes
            .find(|&outcome| outcome as u32 == freed)
            .unwrap_or(Outcome::Released)
    }

    /// Whether the same process does the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.process.key() == other.process.key()
            && self.operation == other.operation
            && self.range == other.range
    }
}

/// What the current task can do about a lease in its way; `nonblocking`: its file has `O_NONBLOCK`.
pub(crate) fn patience(nonblocking: bool) -> Patience {
    if !task::may_wait() {
        Patience::HoldsLocks
    } else if nonblocking {
        Patience::ComesBack
    } else {
        Patience::Waits
    }
}
