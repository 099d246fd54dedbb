// SPDX-License-Identifier: GPL-2.0

//! Where an engine writes, and what.

use crate::{bindings, common::Pages};
use kernel::prelude::*;

/// Pages, in order, that are kept by the [`Memory`](crate::memory::Memory) that they are of.
pub(crate) enum Target {
    Pages(Pages),
    /// In the kernel's own mapping of all memory, found by the addresses that a device is given.
    Addresses(Addresses),
}

/// # Invariants
///
/// Each is that of a page, which is kept as said above.
pub(crate) struct Addresses(KVVec<*mut u64>);

// SAFETY: Pages may be written by every thread.
unsafe impl Send for Addresses {}
// SAFETY: As above: what two engines write at once is their users' business.
unsafe impl Sync for Addresses {}

impl Target {
    /// Each is that of a page, which is kept as said above.
    pub(crate) fn of_addresses(addresses: KVVec<*mut u64>) -> Self {
        Self::Addresses(Addresses(addresses))
    }

    /// How many pages there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Pages(pages) => pages.as_slice().len() as u64,
            Self::Addresses(addresses) => addresses.0.len() as u64,
        }
    }

    /// Fills page `index` with what it has in `generation`, word for word, unseen by page tables.
    /// Does nothing beyond the last page.
    pub(crate) fn write(&self, index: u64, generation: u64) {
        let word = generation << 32 | index;
        match self {
            Self::Pages(pages) => {
                let Some(&page) = pages.as_slice().get(index as usize) else {
                    return;
                };
                // SAFETY: The page is kept, and mapped until `kunmap_local`.
                unsafe {
                    let words = bindings::kmap_local_page(page).cast::<u64>();
                    fill(words, word);
                    bindings::kunmap_local(words.cast());
                }
            }
            Self::Addresses(addresses) => {
                if let Some(&words) = addresses.0.get(index as usize) {
                    // SAFETY: The page is kept, by the invariants.
                    unsafe { fill(words, word) };
                }
            }
        }
    }
}

/// Writes as a device does: each word once, in order, whatever the compiler thinks.
///
/// # Safety
///
/// `words` is a page that may be written.
unsafe fn fill(words: *mut u64, word: u64) {
    for offset in 0..kernel::page::PAGE_SIZE / size_of::<u64>() {
        // SAFETY: As the caller promises.
        unsafe { words.add(offset).write_volatile(word) };
    }
}
