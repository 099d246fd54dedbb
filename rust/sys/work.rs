// SPDX-License-Identifier: GPL-2.0

//! One delayed work in a static, which can be cancelled.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::prelude::*;

/// A `struct delayed_work` on the system's unbound queue.
#[repr(C)]
pub(crate) struct StaticWork {
    work: UnsafeCell<bindings::delayed_work>,
    function: fn(),
    /// Jiffies at which it is to run; 0: it is not queued.
    due: AtomicU64,
}

// SAFETY: The workqueue code locks a `delayed_work` itself.
unsafe impl Sync for StaticWork {}

impl StaticWork {
    pub(crate) const fn new(function: fn()) -> Self {
        Self {
            work: UnsafeCell::new(pin_init::zeroed()),
            function,
            due: AtomicU64::new(0),
        }
    }

    /// Once, before all else.
    pub(crate) fn init(&'static self) {
        // SAFETY: The work is at the start of a static, see `run`.
        unsafe { bindings::pinlease_init_delayed_work(self.work.get(), Some(Self::run)) };
    }

    /// Runs the function within `milliseconds`: a run that is due earlier stays.
    pub(crate) fn run_within(&'static self, milliseconds: u32) {
        let delay = jiffies_of(milliseconds);
        let due = now() + delay as u64;
        let pending = self.due.load(Ordering::Relaxed);
        if pending != 0 && pending <= due {
            return;
        }
        self.due.store(due, Ordering::Relaxed);
        // SAFETY: Initialized by `init`; the queue exists always.
        unsafe {
            bindings::mod_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                bindings::system_dfl_wq,
                self.work.get(),
                delay,
            )
        };
    }

    /// Waits until it does not run and will not, unless it is queued again. May sleep.
    pub(crate) fn cancel(&'static self) {
        // SAFETY: Initialized by `init`.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
        self.due.store(0, Ordering::Relaxed);
    }

    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        const {
            assert!(core::mem::offset_of!(bindings::delayed_work, work) == 0);
            assert!(core::mem::offset_of!(Self, work) == 0);
        }
        // SAFETY: The work is embedded at the start of a `delayed_work`, and that of a static
        // `StaticWork` (asserted above).
        let this = unsafe { &*work.cast::<Self>() };
        this.due.store(0, Ordering::Relaxed);
        (this.function)();
    }
}

/// Jiffies in so many milliseconds.
fn jiffies_of(milliseconds: u32) -> c_ulong {
    // SAFETY: A pure function.
    unsafe { bindings::__msecs_to_jiffies(milliseconds) }
}

/// Jiffies since boot, which do not wrap.
fn now() -> u64 {
    // SAFETY: On 64 bits a word that is read whole.
    unsafe { core::ptr::addr_of!(bindings::jiffies_64).read_volatile() }
}
