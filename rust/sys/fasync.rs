// SPDX-License-Identifier: GPL-2.0

//! Signals for those who asked by `fcntl(2)`: `F_SETOWN`, `F_SETSIG`, `O_ASYNC`.
//!
//! C: `fs/fcntl.c`

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::{error::to_result, prelude::*};

/// Who is to be signalled: a list of `struct fasync_struct`.
pub(crate) struct Fasync(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: `fasync_helper()` and `kill_fasync()` lock the list themselves.
unsafe impl Send for Fasync {}
// SAFETY: As above.
unsafe impl Sync for Fasync {}

impl Fasync {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(core::ptr::null_mut()))
    }

    /// What `->fasync` does. May sleep. Errors: `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The arguments are those of a call of `->fasync`, and the file is taken out again before
    /// `self` is gone.
    pub(crate) unsafe fn change(
        &self,
        descriptor: c_int,
        file: *mut bindings::file,
        on: c_int,
    ) -> Result {
        // SAFETY: As the caller promises.
        to_result(unsafe { bindings::fasync_helper(descriptor, file, on, self.0.get()) })
    }

    /// Sends SIGIO, or what `F_SETSIG` said, for urgent data to read. Any context but NMI.
    pub(crate) fn signal(&self) {
        const POLL_PRI: c_int = bindings::CONST_POLL_PRI as c_int;
        // SAFETY: The list is only changed by `fasync_helper()`.
        unsafe { bindings::kill_fasync(self.0.get(), bindings::SIGIO as c_int, POLL_PRI) };
    }
}
