// SPDX-License-Identifier: GPL-2.0

//! Pins as stock kernels offer them.

use super::Pages;
use crate::bindings;
use kernel::{error::to_result, prelude::*};

/// User memory that is pinned without a lease.
pub(crate) struct RawPin {
    pages: KVVec<*mut bindings::page>,
    /// Whether unpinning makes them dirty.
    dirty: bool,
}

// SAFETY: Unpinning is allowed in any task.
unsafe impl Send for RawPin {}

impl RawPin {
    /// Pins `pages` pages at `address`. Errors: those of `pin_user_pages_fast()`, `EFAULT` when
    /// not all can be pinned.
    pub(crate) fn new(address: usize, pages: usize, longterm: bool, dirty: bool) -> Result<Self> {
        let mut flags = bindings::FOLL_WRITE;
        if longterm {
            flags |= bindings::FOLL_LONGTERM;
        }
        let mut pin = Self {
            pages: KVVec::with_capacity(pages, GFP_KERNEL)?,
            dirty,
        };
        while pin.pages.len() < pages {
            let done = pin.pages.len();
            // SAFETY: There is room for so many pointers.
            let got = unsafe {
                bindings::pin_user_pages_fast(
                    address + done * kernel::page::PAGE_SIZE,
                    (pages - done).min(512) as c_int,
                    flags as c_uint,
                    pin.pages.spare_capacity_mut().as_mut_ptr().cast(),
                )
            };
            to_result(got)?;
            if got == 0 {
                return Err(EFAULT);
            }
            // SAFETY: So many were written.
            unsafe { pin.pages.inc_len(got as usize) };
        }
        Ok(pin)
    }

    /// Errors: `ENOMEM`.
    pub(crate) fn pages(&self) -> Result<Pages> {
        let mut pages = KVVec::with_capacity(self.pages.len(), GFP_KERNEL)?;
        for &page in &self.pages {
            pages.push(page, GFP_KERNEL)?;
        }
        Ok(Pages::new(pages))
    }
}

impl Drop for RawPin {
    fn drop(&mut self) {
        // SAFETY: Each of them was pinned once. May sleep.
        unsafe {
            bindings::unpin_user_pages_dirty_lock(
                self.pages.as_mut_ptr(),
                self.pages.len(),
                self.dirty,
            )
        };
    }
}
