// SPDX-License-Identifier: GPL-2.0

//! Addresses of functions that are not exported: a kprobe knows them.
//!
//! C header: [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::bindings;
use kernel::{error::to_result, prelude::*};

/// The entry of the kernel or module function `name`. May sleep.
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
