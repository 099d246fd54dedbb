// SPDX-License-Identifier: GPL-2.0

//! Messages that an administrator can switch on by dynamic debug.

use super::dma_buf::Attached;
use crate::bindings;
use kernel::prelude::*;

/// Says why a lease was refused: `echo module pinlease +p >/sys/kernel/debug/dynamic_debug/control`.
pub(crate) fn refusal(reason: &CStr) {
    // SAFETY: A string.
    unsafe { bindings::pinlease_log_refusal(reason.as_char_ptr()) };
}

/// Says which device was refused a dma-buf because it cannot be made to give it back.
pub(crate) fn importer(attached: &Attached) {
    // SAFETY: A device has a name, a string.
    unsafe { bindings::pinlease_log_importer(attached.device_name()) };
}
