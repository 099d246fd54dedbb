// SPDX-License-Identifier: GPL-2.0

//! Processes, as `struct pid` names them: by number in each namespace, never mistaken for a later
//! one with the same number.
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

/// Bytes of a process's name with its final 0.
pub(crate) const COMM_LEN: usize = bindings::CONST_TASK_COMM_LEN as usize;

/// A process (thread group); it may be gone.
///
/// # Invariants
///
/// Holds a reference to the `struct pid` of a thread group.
pub(crate) struct Process(NonNull<bindings::pid>);

// SAFETY: A `struct pid` is reference-counted, and its lists are protected by RCU.
unsafe impl Send for Process {}
// SAFETY: As above.
unsafe impl Sync for Process {}

impl Process {
    /// That of the current task. Any task context.
    pub(crate) fn current() -> Self {
        // INVARIANT: The function returns a reference; every task has a thread group.
        // SAFETY: Task context.
        Self(unsafe { NonNull::new_unchecked(bindings::pinlease_get_current_process()) })
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::pid {
        self.0.as_ptr()
    }

    /// What tells it from others as long as it is referenced.
    pub(crate) fn key(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether all its threads have closed their files. Any context.
    pub(crate) fn is_gone(&self) -> bool {
        // SAFETY: By the invariant.
        unsafe { bindings::pinlease_process_is_gone(self.0.as_ptr()) }
    }

    /// Whether it is process 1 of the machine.
    pub(crate) fn is_init(&self) -> bool {
        // SAFETY: By the invariant.
        unsafe { bindings::pinlease_process_is_init(self.0.as_ptr()) }
    }

    /// Its number in the current task's namespace; 0: it has none there, or is gone.
    pub(crate) fn number(&self) -> i32 {
        if self.is_gone() {
            return 0;
        }
        self.former_number()
    }

    /// As [`number`](Self::number), but also of a process that is gone.
    pub(crate) fn former_number(&self) -> i32 {
        // SAFETY: By the invariant.
        unsafe { bindings::pid_vnr(self.0.as_ptr()) }
    }

    /// Its name, filled up with zeroes; empty when it is gone.
    pub(crate) fn name(&self) -> [u8; COMM_LEN] {
        let mut name = [0; COMM_LEN];
        // SAFETY: By the invariant; the function writes so many bytes.
        unsafe { bindings::pinlease_process_comm(self.0.as_ptr(), name.as_mut_ptr().cast()) };
        name
    }

    /// Sends SIGKILL, if `sender` may.
    ///
    /// Errors: `ESRCH` when it is gone, `EPERM` when it runs as somebody else now.
    pub(crate) fn kill(&self, sender: &Sender) -> Result {
        // SAFETY: By the invariants of both.
        to_result(unsafe { bindings::pinlease_process_kill(self.0.as_ptr(), sender.0.as_ptr()) })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the reference ends here.
        unsafe { bindings::put_pid(self.0.as_ptr()) };
    }
}

/// Credentials with which a signal is sent.
///
/// # Invariants
///
/// Holds a reference.
pub(crate) struct Sender(NonNull<bindings::cred>);

// SAFETY: Credentials do not change, and their references may be dropped anywhere.
unsafe impl Send for Sender {}
// SAFETY: As above.
unsafe impl Sync for Sender {}

impl Sender {
    /// The current task's.
    pub(crate) fn current() -> Self {
        // INVARIANT: The function returns a reference.
        // SAFETY: Task context.
        let cred = unsafe { bindings::pinlease_get_current_cred() };
        // SAFETY: A task has credentials.
        Self(unsafe { NonNull::new_unchecked(cred.cast_mut()) })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the reference ends here.
        unsafe { bindings::pinlease_put_cred(self.0.as_ptr()) };
    }
}
