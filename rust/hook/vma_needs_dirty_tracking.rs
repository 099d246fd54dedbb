// SPDX-License-Identifier: GPL-2.0

//! The grant: the only caller is GUP's check of long-term pins, which refuses file mappings whose
//! filesystem tracks dirty pages. While `PINLEASE_IOC_PIN` runs, the holder's own pin is allowed, and
//! under leases with a grant everybody's in his address space.
//!
//! The caller (`check_vma_flags()`) holds the mmap lock until it has pinned, and asks again when it
//! had to give it back.

use crate::{others, sys::vma::Vma};
use pinlease_macros::hook;

#[hook(symbol = "vma_needs_dirty_tracking")]
fn needs_dirty_tracking(original: Original, vma: &Vma) -> bool {
    original.call(vma) && !others::may_pin(vma)
}
