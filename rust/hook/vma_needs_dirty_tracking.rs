// SPDX-License-Identifier: GPL-2.0

//! The grant: the only caller is GUP's check of long-term pins, which refuses file mappings whose
//! filesystem tracks dirty pages. While `PINLEASE_IOC_PIN` runs, the holder's own pin is allowed.

use crate::{gup, sys::vma::Vma};
use pinlease_macros::hook;

#[hook(symbol = "vma_needs_dirty_tracking")]
fn needs_dirty_tracking(original: Original, vma: &Vma) -> bool {
    if vma.mapping_key().is_some_and(gup::granted) {
        return false;
    }
    original.call(vma)
}
