// SPDX-License-Identifier: GPL-2.0

//! Sections in which operations run that found no lease in their way, so that who leases a file for
//! the first time can wait until all that did not see the lease are over.
//!
//! C header: [`include/linux/srcu.h`](srctree/include/linux/srcu.h)

use super::task;
use crate::bindings;
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
    types::NotThreadSafe,
};

/// An SRCU read section of the current task. It may sleep.
pub(crate) struct Section {
    token: c_int,
    _task: NotThreadSafe,
}

impl Section {
    /// Any task context.
    pub(crate) fn enter() -> Self {
        Self {
            // SAFETY: Task context.
            token: unsafe { bindings::pinlease_operation_enter() },
            _task: NotThreadSafe,
        }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        // SAFETY: The token is of the section that `enter` entered, in this task.
        unsafe { bindings::pinlease_operation_exit(self.token) };
    }
}

/// Prepares [`wait_for_running`]. Once, before any lease. May sleep.
pub(crate) fn init() {
    // SAFETY: Task context.
    unsafe { bindings::pinlease_operation_init() };
}

/// Waits until every section is over that began before the call. May sleep.
///
/// Errors: `EAGAIN` when one takes too long (a direct-I/O write that hangs), `EINTR`.
pub(crate) fn wait_for_running() -> Result {
    /// Looks, at most a millisecond apart: ten seconds.
    const LOOKS: u32 = 10_000;
    let mut pause = Delta::from_micros(50);
    // SAFETY: Task context.
    let mark = unsafe { bindings::pinlease_operation_mark() };
    for _ in 0..LOOKS {
        // SAFETY: The mark is from above.
        if unsafe { bindings::pinlease_operation_passed(mark) } {
            return Ok(());
        }
        if task::is_dying() {
            return Err(EINTR);
        }
        fsleep(pause);
        pause = (pause + pause).min(Delta::from_millis(1));
    }
    Err(EAGAIN)
}
