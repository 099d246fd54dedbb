// SPDX-License-Identifier: GPL-2.0

//! RLIMIT_MEMLOCK.

use crate::bindings;
use kernel::{error::to_result, prelude::*};

/// Pages charged to an address space, which is kept to give them back: a lease may be released
/// by a thread that has another one, or none.
pub(crate) struct Charge {
    mm: *mut bindings::mm_struct,
    pages: u64,
}

// SAFETY: The counter is atomic, and the reference may be dropped by any task.
unsafe impl Send for Charge {}
// SAFETY: As above.
unsafe impl Sync for Charge {}

impl Charge {
    /// Charges the current process. Errors: `ENOMEM` above RLIMIT_MEMLOCK without CAP_IPC_LOCK,
    /// `EFAULT` for a kernel thread.
    pub(crate) fn current(pages: u64) -> Result<Self> {
        // SAFETY: Any context.
        let mm: *mut bindings::mm_struct = unsafe { bindings::pinlease_current_mm_grab() }.cast();
        if mm.is_null() {
            return Err(EFAULT);
        }
        // SAFETY: `mm` was just grabbed.
        let charged = to_result(unsafe { bindings::pinlease_charge_pinned(mm, pages as c_ulong) });
        if let Err(error) = charged {
            // SAFETY: As above.
            unsafe { bindings::pinlease_mmdrop(mm) };
            return Err(error);
        }
        Ok(Self { mm, pages })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // SAFETY: `current` charged so much and holds a reference.
        unsafe {
            bindings::pinlease_uncharge_pinned(self.mm, self.pages as c_ulong);
            bindings::pinlease_mmdrop(self.mm);
        }
    }
}
