// SPDX-License-Identifier: GPL-2.0

//! A value behind a spinlock that interrupts may take: those of the kernel crate leave interrupts
//! enabled.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::bindings;
use core::cell::UnsafeCell;
use kernel::{prelude::*, types::Opaque};

/// A value that is only reached with its lock held and interrupts disabled.
#[pin_data]
pub(crate) struct IrqLock<T> {
    #[pin]
    lock: Opaque<bindings::spinlock>,
    value: UnsafeCell<T>,
}

// SAFETY: Who reaches the value may be any thread.
unsafe impl<T: Send> Send for IrqLock<T> {}
// SAFETY: One thread at a time reaches the value.
unsafe impl<T: Send> Sync for IrqLock<T> {}

impl<T> IrqLock<T> {
    pub(crate) fn new(value: T) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The slot is ours to initialize.
            lock <- Opaque::ffi_init(|lock| unsafe { bindings::pinlease_init_spin_lock(lock) }),
            value: UnsafeCell::new(value),
        })
    }

    /// Calls `action`, which must be short, with the value. Any context but NMI.
    pub(crate) fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: Initialized by `new`.
        let flags = unsafe { bindings::pinlease_spin_lock_irqsave(self.lock.get()) };
        // SAFETY: Only reached here, and the lock is held.
        let result = action(unsafe { &mut *self.value.get() });
        // SAFETY: Locked just now, with these flags.
        unsafe { bindings::pinlease_spin_unlock_irqrestore(self.lock.get(), flags) };
        result
    }
}
