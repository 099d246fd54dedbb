// SPDX-License-Identifier: GPL-2.0

//! Settings of the memory manager and of the lease core.

use super::symbol;
use crate::bindings;
use core::sync::atomic::{AtomicUsize, Ordering};

/// `vm.dirty_writeback_centisecs`: how often the flusher looks; 0: never.
pub(crate) fn dirty_writeback_centisecs() -> u32 {
    // SAFETY: An exported variable, of a size that is read whole.
    unsafe { core::ptr::addr_of!(bindings::dirty_writeback_interval).read_volatile() }
}

/// Address of `dirty_expire_interval`, which is not exported; 0: not found.
static EXPIRE: AtomicUsize = AtomicUsize::new(0);

/// Looks for what is not exported. Once, before anything else here. May sleep.
pub(crate) fn init() {
    for (place, name) in [
        (&EXPIRE, c"dirty_expire_interval"),
        (&BREAK_TIME, c"lease_break_time"),
    ] {
        if let Ok(address) = symbol::variable(name) {
            place.store(address, Ordering::Relaxed);
        }
    }
}

/// Address of `lease_break_time`, which is not exported; 0: not found.
static BREAK_TIME: AtomicUsize = AtomicUsize::new(0);

/// `fs.lease-break-time`, in seconds: how long holders of leases may take to answer. The kernel's
/// default where the kernel has no name for the variable.
pub(crate) fn lease_break_seconds() -> u32 {
    const DEFAULT: u32 = 45;
    match BREAK_TIME.load(Ordering::Relaxed) {
        0 => DEFAULT,
        // SAFETY: `int lease_break_time` of fs/locks.c, never freed.
        address => u32::try_from(unsafe { (address as *const i32).read_volatile() }).unwrap_or(0),
    }
}

/// `vm.dirty_expire_centisecs`: how old dirty data gets before it is written. The kernel's default
/// where the kernel has no name for the variable (no CONFIG_KALLSYMS_ALL).
pub(crate) fn dirty_expire_centisecs() -> u32 {
    const DEFAULT: u32 = 3000;
    match EXPIRE.load(Ordering::Relaxed) {
        0 => DEFAULT,
        // SAFETY: `unsigned int dirty_expire_interval` of mm/page-writeback.c, never freed.
        address => unsafe { (address as *const u32).read_volatile() },
    }
}
