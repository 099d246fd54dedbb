// SPDX-License-Identifier: GPL-2.0

//! Messages that an administrator can switch on by dynamic debug.

use crate::bindings;
use kernel::prelude::*;

/// Says why a lease was refused: `echo module pinlease +p >/sys/kernel/debug/dynamic_debug/control`.
pub(crate) fn refusal(reason: &CStr) {
    // SAFETY: A string.
    unsafe { bindings::pinlease_log_refusal(reason.as_char_ptr()) };
}
