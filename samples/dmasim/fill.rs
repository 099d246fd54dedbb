// SPDX-License-Identifier: GPL-2.0

//! What the engine writes.

use crate::{bindings, common::Pages};

impl Pages {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    /// Fills page `index` with what it has in `generation`, word for word, unseen by page tables.
    /// Does nothing beyond the last page.
    pub(crate) fn write(&self, index: u64, generation: u64) {
        let Some(&page) = self.as_slice().get(index as usize) else {
            return;
        };
        let word = generation << 32 | index;
        // SAFETY: The page is kept, by the invariants, and mapped until `kunmap_local`.
        unsafe {
            let words = bindings::kmap_local_page(page).cast::<u64>();
            for offset in 0..kernel::page::PAGE_SIZE / size_of::<u64>() {
                // As a device does: each word once, in order, whatever the compiler thinks.
                words.add(offset).write_volatile(word);
            }
            bindings::kunmap_local(words.cast());
        }
    }
}
