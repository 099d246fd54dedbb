// SPDX-License-Identifier: GPL-2.0

//! A place for a folio that is kept, in one word: leases have one for each page.

use super::folio::{Folio, FolioRef};
use crate::bindings;

/// The bits of the address of any `struct page`, and so of any folio, that are 0: they lie in an
/// array (`vmemmap`) that begins at a page boundary.
const FREE: usize = (1 << size_of::<bindings::page>().trailing_zeros()) - 1;

const _: () = assert!(FREE >= 15);

/// A place that is empty or has a folio. It counts, in the bits that are free, how often it was
/// changed.
///
/// # Invariants
///
/// Without these bits it is 0, or from [`FolioRef::into_raw`] and ours.
pub(crate) struct FolioSlot(usize);

/// What a slot was at some time. Equal ones are of the same time, unless it was changed often in
/// between: `FREE + 1` times, or a multiple of that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(usize);

impl FolioSlot {
    pub(crate) const fn new() -> Self {
        // INVARIANT: It is 0.
        Self(0)
    }

    fn raw(&self) -> *mut bindings::folio {
        (self.0 & !FREE) as *mut _
    }

    /// Puts a folio there, or none, and returns what was there.
    pub(crate) fn replace(&mut self, folio: Option<FolioRef>) -> Option<FolioRef> {
        let before = self.raw();
        let address = folio.map_or(0, |folio| folio.into_raw() as usize);
        // INVARIANT: The address is from `into_raw`, or 0.
        self.0 = address | (self.0 + 1) & FREE;
        // SAFETY: By the invariant it is null or from `into_raw`, and it is not here any more.
        unsafe { FolioRef::from_raw(before) }
    }

    /// What is there.
    pub(crate) fn folio(&self) -> Option<&Folio> {
        // SAFETY: By the invariant it is null or a folio with a reference, which is given back only
        // by `&mut self`.
        unsafe { self.raw().cast::<Folio>().as_ref() }
    }

    pub(crate) fn version(&self) -> Version {
        Version(self.0)
    }
}

impl Drop for FolioSlot {
    fn drop(&mut self) {
        self.replace(None);
    }
}
