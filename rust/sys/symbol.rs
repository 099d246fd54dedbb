// SPDX-License-Identifier: GPL-2.0

//! Addresses of what is not exported: a kprobe knows functions, kallsyms the rest.
//!
//! C header: [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::{bindings, hook::call};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{error::to_result, prelude::*};

/// The entry of the kernel or module function `name`. Sleeps for a grace period of RCU.
///
/// Errors: `ENOENT` when there is none.
pub(crate) fn address_of(name: &CStr) -> Result<usize> {
    let mut probe = bindings::kprobe {
        symbol_name: name.as_char_ptr(),
        // Registered, but never armed: no code is patched.
        flags: bindings::KPROBE_FLAG_DISABLED,
        ..pin_init::zeroed()
    };
    // SAFETY: `probe` is complete and stays in place until it is unregistered.
    to_result(unsafe { bindings::register_kprobe(&mut probe) }).map_err(|_| ENOENT)?;
    let address = probe.addr as usize;
    // SAFETY: It was registered above.
    unsafe { bindings::unregister_kprobe(&mut probe) };
    Ok(address)
}

/// The address of the kernel's variable `name`. May sleep.
///
/// Errors: `ENOENT` when there is none, or no CONFIG_KALLSYMS_ALL.
pub(crate) fn variable(name: &CStr) -> Result<usize> {
    /// Looked for once: this function is no module's. 0: not yet.
    static LOOKUP: AtomicUsize = AtomicUsize::new(0);
    let lookup = match LOOKUP.load(Ordering::Relaxed) {
        0 => address_of(c"kallsyms_lookup_name")?,
        known => known,
    };
    LOOKUP.store(lookup, Ordering::Relaxed);
    // SAFETY: `unsigned long kallsyms_lookup_name(const char *name)`.
    match unsafe { call::function(lookup, &[name.as_char_ptr() as usize]) } {
        0 => Err(ENOENT),
        address => Ok(address),
    }
}
