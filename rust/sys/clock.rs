// SPDX-License-Identifier: GPL-2.0

//! CLOCK_MONOTONIC, in nanoseconds.

use crate::bindings;

/// Any context but NMI.
pub(crate) fn now() -> u64 {
    // SAFETY: Not called in NMI context.
    unsafe { bindings::ktime_get() as u64 }
}
