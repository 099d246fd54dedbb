// SPDX-License-Identifier: GPL-2.0

//! One delayed work in a static, which can be cancelled.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// A `struct delayed_work` on the system's unbound queue.
#[repr(C)]
pub(crate) struct StaticWork {
    work: UnsafeCell<bindings::delayed_work>,
    function: fn(),
}

// SAFETY: The workqueue code locks a `delayed_work` itself.
unsafe impl Sync for StaticWork {}

impl StaticWork {
    pub(crate) const fn new(function: fn()) -> Self {
        Self {
            work: UnsafeCell::new(pin_init::zeroed()),
            function,
        }
    }

    /// Once, before all else.
    pub(crate) fn init(&'static self) {
        // SAFETY: The work is at the start of a static, see `run`.
        unsafe { bindings::pinlease_init_delayed_work(self.work.get(), Some(Self::run)) };
    }

    /// Runs the function in `milliseconds`, once, whenever it was to run before.
    pub(crate) fn run_in(&'static self, milliseconds: u32) {
        // SAFETY: Initialized by `init`; the queue exists always.
        unsafe {
            bindings::mod_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                bindings::system_dfl_wq,
                self.work.get(),
                bindings::__msecs_to_jiffies(milliseconds),
            )
        };
    }

    /// Waits until it does not run and will not, unless it is queued again. May sleep.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: Initialized by `init`.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
    }

    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        const {
            assert!(core::mem::offset_of!(bindings::delayed_work, work) == 0);
            assert!(core::mem::offset_of!(Self, work) == 0);
        }
        // SAFETY: The work is embedded at the start of a `delayed_work`, and that of a static
        // `StaticWork` (asserted above).
        let this = unsafe { &*work.cast::<Self>() };
        (this.function)();
    }
}
