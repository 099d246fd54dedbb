// SPDX-License-Identifier: GPL-2.0

//! `struct address_space`: the page cache of one inode.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use super::symbol;
use crate::{bindings, policy::range::PageRange};
use kernel::{prelude::*, types::Opaque};

/// Failures to write a file up to some time (`errseq_t`): equal ones are of the same failures.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WriteErrors(u32);

/// A `struct address_space`.
#[repr(transparent)]
pub(crate) struct Mapping(Opaque<bindings::address_space>);

impl Mapping {
    pub(crate) fn as_ptr(&self) -> *mut bindings::address_space {
        self.0.get()
    }

    /// What names the mapping while its inode lives.
    pub(crate) fn key(&self) -> usize {
        self.as_ptr() as usize
    }

    pub(crate) fn operations(&self) -> &bindings::address_space_operations {
        // SAFETY: The mapping of an inode has operations, which are static.
        unsafe { &*(*self.as_ptr()).a_ops }
    }

    /// Whether its operations are the variable `name` of the kernel or a module. May sleep.
    pub(crate) fn has_operations(&self, name: &CStr) -> bool {
        // SAFETY: The mapping is valid; its operations are only compared.
        let operations = unsafe { (*self.as_ptr()).a_ops } as usize;
        symbol::variable(name).is_ok_and(|address| address == operations)
    }

    /// Whether writers wait for writeback before they change a page.
    pub(crate) fn has_stable_writes(&self) -> bool {
        // SAFETY: The mapping is valid.
        unsafe { bindings::pinlease_mapping_stable_writes(self.as_ptr()) }
    }

    pub(crate) fn set_stable_writes(&self, stable: bool) {
        if stable {
            // SAFETY: The mapping is valid; the flag is an atomic bit.
            unsafe { bindings::pinlease_mapping_set_stable_writes(self.as_ptr()) };
        } else {
            // SAFETY: As above.
            unsafe { bindings::pinlease_mapping_clear_stable_writes(self.as_ptr()) };
        }
    }

    /// Makes the next fsync of every open file report `error` (errseq).
    pub(crate) fn set_error(&self, error: Error) {
        // SAFETY: The mapping is valid.
        unsafe { bindings::pinlease_mapping_set_error(self.as_ptr(), error.to_errno()) };
    }

    /// What is known of failed writes; `None` when nobody has seen the last failure, as then the next
    /// one may not show.
    ///
    /// C: `lib/errseq.c`
    pub(crate) fn write_errors(&self) -> Option<WriteErrors> {
        // SAFETY: The mapping is valid.
        let sequence = unsafe { bindings::pinlease_mapping_wb_err(self.as_ptr()) };
        const SEEN: u32 = 1 << 12;
        let error = sequence & (SEEN - 1);
        (error == 0 || sequence & SEEN != 0).then_some(WriteErrors(sequence))
    }

    /// Whether a folio with a page of `range` is pinned. May sleep.
    pub(crate) fn has_pinned(&self, range: PageRange) -> bool {
        self.pinned_pages(range, true) != 0
    }

    /// Pages of `range` in pinned folios. May sleep.
    pub(crate) fn count_pinned(&self, range: PageRange) -> u64 {
        self.pinned_pages(range, false)
    }

    fn pinned_pages(&self, range: PageRange, any: bool) -> u64 {
        let (first, last) = (range.first() as c_ulong, (range.end() - 1) as c_ulong);
        // SAFETY: The mapping is valid.
        unsafe { bindings::pinlease_pinned_pages(self.as_ptr(), first, last, any) as u64 }
    }

    /// The pages of the folio with page `index`, if it is pinned.
    pub(crate) fn pinned_folio_at(&self, index: u64) -> Option<PageRange> {
        let (mut first, mut pages) = (0, 0);
        // SAFETY: The mapping is valid, and so are the places of the results.
        let pinned = unsafe {
            bindings::pinlease_pinned_folio_at(
                self.as_ptr(),
                index as c_ulong,
                &mut first,
                &mut pages,
            )
        };
        if !pinned {
            return None;
        }
        PageRange::new(first as u64, pages as u64).ok()
    }

    /// Begins to write what is dirty of `range`; errors are left to fsync. May sleep.
    pub(crate) fn start_writeback(&self, range: PageRange) {
        let (first, last) = range.bytes();
        // SAFETY: The mapping is valid.
        unsafe { bindings::filemap_fdatawrite_range(self.as_ptr(), first as i64, last as i64) };
    }

    /// Waits for writeback in flight, leaving its errors to fsync. May sleep.
    pub(crate) fn wait_for_writeback(&self, range: PageRange) {
        let (first, last) = range.bytes();
        // SAFETY: The mapping is valid.
        unsafe {
            bindings::filemap_fdatawait_range_keep_errors(self.as_ptr(), first as i64, last as i64)
        };
    }
}
