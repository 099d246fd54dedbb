// SPDX-License-Identifier: GPL-2.0

//! Pins as drivers make them without pinlease.

use crate::bindings;
use kernel::{error::to_result, page::PAGE_SIZE, prelude::*};

/// Whole pages of the current process's memory; it may not be there.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    address: usize,
    pages: usize,
}

impl Memory {
    /// Errors: `EINVAL`.
    pub(crate) fn new(address: u64, length: u64) -> Result<Self> {
        const PAGE: u64 = PAGE_SIZE as u64;
        let whole = (address | length) & (PAGE - 1) == 0;
        if !whole || length == 0 || length > bindings::PINBENCH_MOST_BYTES.into() {
            return Err(EINVAL);
        }
        Ok(Self {
            address: address as usize,
            pages: (length / PAGE) as usize,
        })
    }
}

/// Pinned pages. Dropping unpins them.
///
/// # Invariants
///
/// Each was pinned once.
pub(crate) struct Pages(KVVec<*mut bindings::page>);

// SAFETY: Unpinning is allowed in any task.
unsafe impl Send for Pages {}

/// Pages that are pinned in one go.
const CHUNK: usize = 512;

impl Pages {
    /// None, and room for those of `memory`. May sleep. Errors: `ENOMEM`.
    pub(crate) fn room_for(memory: Memory) -> Result<Self> {
        // INVARIANT: There is none.
        Ok(Self(KVVec::with_capacity(memory.pages, GFP_KERNEL)?))
    }

    /// Pins `memory`, for which there is room. May sleep. Errors: those of `pin_user_pages_fast()`,
    /// `EFAULT` when not all can be pinned; what was pinned is unpinned by dropping.
    pub(crate) fn pin(&mut self, memory: Memory, longterm: bool) -> Result {
        let mut flags = bindings::FOLL_WRITE;
        if longterm {
            flags |= bindings::FOLL_LONGTERM;
        }
        while self.0.len() < memory.pages {
            let done = self.0.len();
            let room = self.0.spare_capacity_mut();
            let count = (memory.pages - done).min(room.len()).min(CHUNK);
            // SAFETY: There is room for so many pointers.
            let got = unsafe {
                bindings::pin_user_pages_fast(
                    memory.address + done * PAGE_SIZE,
                    count as c_int,
                    flags as c_uint,
                    room.as_mut_ptr().cast(),
                )
            };
            to_result(got)?;
            if got == 0 {
                return Err(EFAULT);
            }
            // INVARIANT: These were pinned just now.
            // SAFETY: So many were written.
            unsafe { self.0.inc_len(got as usize) };
        }
        Ok(())
    }

    /// Unpins all; `dirty`: and makes them dirty. May sleep.
    pub(crate) fn unpin(&mut self, dirty: bool) {
        // SAFETY: By the invariant each was pinned once, and they are forgotten below.
        unsafe {
            bindings::unpin_user_pages_dirty_lock(self.0.as_mut_ptr(), self.0.len(), dirty);
        }
        // INVARIANT: There is none any more.
        self.0.clear();
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.unpin(false);
    }
}
