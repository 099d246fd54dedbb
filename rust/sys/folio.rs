// SPDX-License-Identifier: GPL-2.0

//! Page cache folios.
//!
//! C header: [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h)

use super::mapping::Mapping;
use crate::{bindings, policy::range::PageRange};
use core::{mem::ManuallyDrop, ops::Deref, ptr::NonNull};
use kernel::{ffi::c_ulong, types::Opaque};

/// A `struct folio`, kept by whoever lent the reference.
///
/// # Invariants
///
/// A reference to it is only made where the folio has a reference count, a pin or its lock.
#[repr(transparent)]
pub(crate) struct Folio(Opaque<bindings::folio>);

impl Folio {
    /// # Safety
    ///
    /// `page` is valid and its folio stays for `'a`.
    pub(crate) unsafe fn of_page<'a>(page: *mut bindings::page) -> &'a Self {
        // SAFETY: The page is valid; `Folio` is transparent.
        unsafe { &*bindings::pinlease_page_folio(page).cast() }
    }

    /// The folio of the first of `pages`, and how many of them, from that on, are of it; `None` when
    /// they are not those of `mapping` from `index` on.
    ///
    /// # Safety
    ///
    /// There is one, all are valid, and their folios stay for `'a`.
    pub(crate) unsafe fn run_of<'a>(
        pages: &[*mut bindings::page],
        mapping: &Mapping,
        index: u64,
    ) -> Option<(&'a Self, usize)> {
        let mut folio = core::ptr::null_mut();
        // SAFETY: As the caller promises; the mapping is only compared.
        let count = unsafe {
            bindings::pinlease_folio_run(
                pages.as_ptr(),
                pages.len() as c_ulong,
                mapping.as_ptr(),
                index as c_ulong,
                &mut folio,
            )
        };
        // SAFETY: It was written; `Folio` is transparent.
        (count > 0).then(|| (unsafe { &*folio.cast() }, count as usize))
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::folio {
        self.0.get()
    }

    /// The file mapping that it belongs to; `None` for anonymous memory, or after a truncate.
    ///
    /// The mapping stays as long as the folio is locked, under writeback, or the file is open.
    pub(crate) fn mapping(&self) -> Option<&Mapping> {
        // SAFETY: The folio is valid; a non-null mapping stays as said above.
        unsafe {
            bindings::pinlease_folio_file_mapping(self.as_ptr())
                .cast::<Mapping>()
                .as_ref()
        }
    }

    /// Page index in the file.
    pub(crate) fn index(&self) -> u64 {
        // SAFETY: The folio is valid. Its index does not change while it is in a mapping.
        unsafe {
            (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .__bindgen_anon_2
                .index as u64
        }
    }

    /// Pages in it.
    pub(crate) fn pages(&self) -> u64 {
        // SAFETY: The folio is valid.
        unsafe { bindings::pinlease_folio_nr_pages(self.as_ptr()) as u64 }
    }

    /// Its pages in the file.
    pub(crate) fn range(&self) -> PageRange {
        PageRange::of_folio(self.index(), self.pages())
    }

    /// Its page number `place`, of [`pages`](Self::pages).
    pub(crate) fn page(&self, place: u64) -> *mut bindings::page {
        // SAFETY: The folio is valid; nothing but an address is computed.
        unsafe { bindings::pinlease_folio_page(self.as_ptr(), place as c_ulong) }
    }

    /// The frame number of its page number `place`, of [`pages`](Self::pages).
    pub(crate) fn frame(&self, place: u64) -> c_ulong {
        // SAFETY: The folio is valid; its frames are consecutive.
        unsafe { bindings::pinlease_folio_pfn(self.as_ptr()) + place as c_ulong }
    }

    /// Which page of the file a page of it is.
    pub(super) fn index_of(&self, page: *mut bindings::page) -> u64 {
        // SAFETY: The folio is valid; nothing but a difference is computed.
        self.index() + unsafe { bindings::pinlease_folio_page_idx(self.as_ptr(), page) as u64 }
    }

    /// It was made for a write that does not want it cached (`RWF_DONTCACHE`): writeback drops such a
    /// folio, pinned or not. No more.
    pub(crate) fn keep_in_cache(&self) {
        // SAFETY: The folio is valid; the flag is an atomic bit.
        unsafe { bindings::pinlease_folio_clear_dropbehind(self.as_ptr()) };
    }

    /// Whether somebody pins it: never wrong with "no", may be wrong with "yes"
    /// (`folio_maybe_dma_pinned`).
    pub(crate) fn maybe_pinned(&self) -> bool {
        // SAFETY: The folio is valid.
        unsafe { bindings::pinlease_folio_maybe_dma_pinned(self.as_ptr()) }
    }

    /// A reference of its own.
    pub(crate) fn reference(&self) -> FolioRef {
        // SAFETY: The folio is valid.
        unsafe { bindings::pinlease_folio_get(self.as_ptr()) };
        // INVARIANT: A reference was just taken.
        FolioRef(NonNull::from(self))
    }

    pub(crate) fn is_under_writeback(&self) -> bool {
        // SAFETY: The folio is valid.
        unsafe { bindings::pinlease_folio_test_writeback(self.as_ptr()) }
    }
}

/// A folio that is kept.
///
/// # Invariants
///
/// Holds a reference.
pub(crate) struct FolioRef(NonNull<Folio>);

// SAFETY: References to folios may be dropped anywhere.
unsafe impl Send for FolioRef {}

impl FolioRef {
    /// The caller has the reference now.
    pub(crate) fn into_raw(self) -> *mut bindings::folio {
        ManuallyDrop::new(self).as_ptr()
    }

    /// # Safety
    ///
    /// `folio` is null, or from [`into_raw`](Self::into_raw), whose reference it takes over.
    pub(crate) unsafe fn from_raw(folio: *mut bindings::folio) -> Option<Self> {
        // INVARIANT: As the caller promises.
        NonNull::new(folio.cast()).map(Self)
    }
}

impl Deref for FolioRef {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        // SAFETY: By the invariant.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for FolioRef {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the reference ends here.
        unsafe { bindings::pinlease_folio_put(self.as_ptr()) };
    }
}
