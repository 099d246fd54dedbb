// SPDX-License-Identifier: GPL-2.0

//! Settings of the memory manager.

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
    if let Ok(address) = symbol::variable(c"dirty_expire_interval") {
        EXPIRE.store(address, Ordering::Relaxed);
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
