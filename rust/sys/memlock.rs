// SPDX-License-Identifier: GPL-2.0

//! RLIMIT_MEMLOCK.

use super::mm::Mm;
use crate::bindings;
use kernel::{error::to_result, prelude::*};

/// Pages charged to a user, and shown for an address space. Both are kept to give the pages back: a
/// lease may be released by a thread that has others, or none.
pub(crate) struct Charge {
    user: *mut bindings::user_struct,
    mm: Mm,
    pages: u64,
}

// SAFETY: The counters are atomic, and the references may be dropped by any task.
unsafe impl Send for Charge {}
// SAFETY: As above.
unsafe impl Sync for Charge {}

impl Charge {
    /// Charges the current user. Errors: `ENOMEM` above RLIMIT_MEMLOCK without CAP_IPC_LOCK,
    /// `EFAULT` for a kernel thread.
    pub(crate) fn current(pages: u64) -> Result<Self> {
        let mm = Mm::current().ok_or(EFAULT)?;
        // SAFETY: Any task context.
        let user = unsafe { bindings::pinlease_get_current_user() };
        let mut charge = Self { user, mm, pages: 0 };
        // SAFETY: Both references were just taken.
        to_result(unsafe {
            bindings::pinlease_charge_pinned(user, charge.mm.as_ptr(), pages as c_ulong)
        })?;
        charge.pages = pages;
        Ok(charge)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // SAFETY: `current` charged so much and holds the references.
        unsafe {
            bindings::pinlease_uncharge_pinned(self.user, self.mm.as_ptr(), self.pages as c_ulong);
            bindings::pinlease_put_user(self.user);
        }
    }
}
