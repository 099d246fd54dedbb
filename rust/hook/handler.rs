// SPDX-License-Identifier: GPL-2.0

//! What ftrace calls at the entry of every hooked function.
//!
//! Runs with preemption disabled, wherever the function is called, and calls nothing that could
//! be traced: Rust code has no `__fentry__`, and the C helpers are compiled without.

use super::Slot;
use crate::bindings;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use kernel::prelude::*;

/// More than all slots of all hooks that can be in use.
const CAPACITY: usize = 80;

/// The hooked addresses. Written by [`super::install`] under its lock, read here.
pub(super) struct Active {
    used: AtomicUsize,
    addresses: [AtomicUsize; CAPACITY],
    slots: [AtomicPtr<Slot>; CAPACITY],
}

pub(super) static ACTIVE: Active = Active {
    used: AtomicUsize::new(0),
    addresses: [const { AtomicUsize::new(0) }; CAPACITY],
    slots: [const { AtomicPtr::new(core::ptr::null_mut()) }; CAPACITY],
};

impl Active {
    /// Number of hooked addresses.
    pub(super) fn len(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds an address before ftrace is told of it.
    pub(super) fn push(&self, address: usize, slot: &'static Slot) -> Result {
        let used = self.len();
        if used == CAPACITY {
            return Err(ENOSPC);
        }
        self.addresses[used].store(address, Ordering::Relaxed);
        self.slots[used].store(core::ptr::from_ref(slot).cast_mut(), Ordering::Relaxed);
        self.used.store(used + 1, Ordering::Release);
        Ok(())
    }

    /// Drops all but the first `len` addresses, of which ftrace no longer knows.
    pub(super) fn truncate(&self, len: usize) {
        self.used.store(len, Ordering::Release);
    }

    /// The addresses from index `first` on.
    pub(super) fn addresses_from(&self, first: usize) -> Result<KVec<c_ulong>> {
        let mut addresses = KVec::new();
        for address in &self.addresses[first..self.len()] {
            addresses.push(address.load(Ordering::Relaxed), GFP_KERNEL)?;
        }
        Ok(addresses)
    }

    /// The slots from index `first` on.
    pub(super) fn slots_from(&self, first: usize) -> impl Iterator<Item = &'static Slot> + '_ {
        self.slots[first..self.len()].iter().filter_map(|slot| {
            // SAFETY: Below `used` every pointer is of a slot in a static.
            unsafe { slot.load(Ordering::Relaxed).as_ref() }
        })
    }

    fn find(&self, ip: usize) -> Option<&'static Slot> {
        let used = self.used.load(Ordering::Acquire);
        let index = self.addresses[..used].iter().position(|address| {
            // ftrace reports the address of the call to `__fentry__`, which an ENDBR may precede.
            let entry = address.load(Ordering::Relaxed);
            ip == entry || ip == entry + ENDBR_SIZE
        })?;
        // SAFETY: Below `used` every pointer is of a slot in a static.
        unsafe { self.slots[index].load(Ordering::Relaxed).as_ref() }
    }
}

/// `sizeof(endbr64)`.
const ENDBR_SIZE: usize = 4;

/// `MCOUNT_INSN_SIZE`: what the compiler leaves at the entry of a function for ftrace, which `ip` is
/// the address of.
const CALL_SIZE: usize = 5;

/// `ftrace_func_t`.
///
/// # Safety
///
/// Called by ftrace, with the registers at the entry of a traced function.
pub(super) unsafe extern "C" fn handler(
    ip: c_ulong,
    _parent_ip: c_ulong,
    _ops: *mut bindings::ftrace_ops,
    registers: *mut bindings::ftrace_regs,
) {
    let Some(slot) = ACTIVE.find(ip) else {
        return;
    };
    slot.learn_body(ip + CALL_SIZE);
    // SAFETY: `registers` is valid during this call; the replacement takes the same arguments.
    unsafe { bindings::pinlease_fregs_set_ip(registers, slot.replacement as usize) };
}
