// SPDX-License-Identifier: GPL-2.0

//! What a lease with a grant has beyond others: the folios that were written back while others
//! pinned them.
//!
//! Of a pin that somebody else made we learn neither when it begins nor when it ends. What counts is
//! that such a folio may be clean while a device writes, and is so only after it was written from a
//! [snapshot](crate::snapshot). There it is noted here, with a reference, so that nobody throws it
//! out of the file before it was made dirty again, be it pinned then or not.

use crate::{
    bindings,
    policy::range::{PageRange, LARGEST_FOLIO},
    sys::folio::{Folio, FolioRef},
};
use core::{
    ptr::null_mut,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::{alloc::flags::*, prelude::*};

/// See above.
///
/// # Invariants
///
/// What is not null in `written` is a folio with a reference that is ours, at the first of its pages
/// that the range has.
pub(crate) struct Grant {
    range: PageRange,
    written: KVVec<AtomicPtr<bindings::folio>>,
}

impl Grant {
    /// For the whole life of a lease of `range`. May sleep. Errors: `ENOMEM`.
    pub(crate) fn new(range: PageRange) -> Result<Self> {
        let flags = GFP_KERNEL_ACCOUNT;
        let count = usize::try_from(range.count()).map_err(|_| ENOMEM)?;
        let mut written = KVVec::with_capacity(count, flags)?;
        for _ in 0..count {
            written.push(AtomicPtr::new(null_mut()), flags)?;
        }
        // INVARIANT: All are null.
        Ok(Self { range, written })
    }

    /// The range of the lease when it was acquired.
    pub(crate) fn range(&self) -> PageRange {
        self.range
    }

    /// Notes a folio that has a page of the range. Any context but interrupts.
    pub(crate) fn note(&self, folio: &Folio) {
        let place = folio.index().max(self.range.first()) - self.range.first();
        if let Some(slot) = self.written.get(place as usize) {
            // INVARIANT: It comes with a reference, at its place.
            let before = slot.swap(folio.reference().into_raw(), Ordering::AcqRel);
            // SAFETY: By the invariant; nobody else has it any more.
            drop(unsafe { FolioRef::from_raw(before) });
        }
    }

    /// Takes out the folios that have a page of `range`, one after the other.
    pub(crate) fn take(&self, range: PageRange) -> impl Iterator<Item = FolioRef> + '_ {
        self.slots(range).filter_map(move |(page, slot)| {
            if slot.load(Ordering::Relaxed).is_null() {
                return None;
            }
            // SAFETY: By the invariant; nobody else has it any more.
            let folio = unsafe { FolioRef::from_raw(slot.swap(null_mut(), Ordering::AcqRel)) }?;
            if page + folio.pages() > range.first() {
                return Some(folio);
            }
            self.note(&folio);
            None
        })
    }

    /// Whether there is one that may have a page of `range`.
    pub(crate) fn has(&self, range: PageRange) -> bool {
        self.slots(range)
            .any(|(_, slot)| !slot.load(Ordering::Relaxed).is_null())
    }

    /// The slots where folios can be that have a page of `range`, with the page.
    fn slots(
        &self,
        range: PageRange,
    ) -> impl Iterator<Item = (u64, &AtomicPtr<bindings::folio>)> + '_ {
        let range = range.widened(LARGEST_FOLIO);
        let begin = self.range.first();
        let from = range.first().clamp(begin, self.range.end());
        let to = range.end().clamp(begin, self.range.end());
        let slots = &self.written[(from - begin) as usize..(to - begin) as usize];
        (from..to).zip(slots)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        for slot in &mut self.written {
            // SAFETY: By the invariant; nobody else has it any more.
            drop(unsafe { FolioRef::from_raw(*slot.get_mut()) });
        }
    }
}
