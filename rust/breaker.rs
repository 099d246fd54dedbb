// SPDX-License-Identifier: GPL-2.0

//! A breaker: an operation that detaches, moves or shares pages of a file.

use crate::{
    bindings,
    policy::{lease_state::Patience, range::PageRange},
    sys::{
        clock,
        process::{Process, COMM_LEN},
        task,
    },
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{prelude::*, sync::Arc, task::Kuid};

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

/// Orders breakers, and the answers of holders, in time.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

/// The next number.
pub(crate) fn next_in_sequence() -> u64 {
    SEQUENCE.fetch_add(1, Ordering::Relaxed)
}

/// An operation by a task.
pub(crate) struct Breaker {
    /// Grows from breaker to breaker.
    pub(crate) id: u64,
    pub(crate) operation: Operation,
    pub(crate) range: PageRange,
    /// Whether leases are not in its way, but only what is pinned there.
    pub(crate) only_pins: bool,
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
        began: Option<u64>,
    ) -> Result<Arc<Self>> {
        let process = Process::current();
        let breaker = Self {
            id: next_in_sequence(),
            operation,
            range,
            only_pins,
            began: began.unwrap_or_else(clock::now),
            task: task::key(),
            comm: process.name(),
            process,
            user: Kuid::current_euid(),
        };
        Ok(Arc::new(breaker, GFP_KERNEL)?)
    }
}

impl Breaker {
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
