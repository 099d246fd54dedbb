// SPDX-License-Identifier: GPL-2.0

//! Memory for who comes too late: one page in place of many, to be written and never read.

use super::dma_table::KeptPages;
use crate::bindings;
use kernel::{page::Page, prelude::*};

/// One page, many times.
///
/// # Invariants
///
/// All of `list` are `_page`.
pub(crate) struct Scratch {
    list: KVVec<*mut bindings::page>,
    _page: Page,
}

// SAFETY: Of the page nothing but the address is used, by anybody.
unsafe impl Send for Scratch {}

impl Scratch {
    /// In place of so many pages. May sleep. Errors: `ENOMEM`.
    pub(crate) fn new(pages: u64) -> Result<Self> {
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        // INVARIANT: As said.
        Ok(Self {
            list: KVVec::from_elem(page.as_ptr(), pages as usize, GFP_KERNEL)?,
            _page: page,
        })
    }
}

// SAFETY: By the invariant; the page is kept.
unsafe impl KeptPages for Scratch {
    fn pages(&self) -> &[*mut bindings::page] {
        &self.list
    }
}
