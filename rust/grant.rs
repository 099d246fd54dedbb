// SPDX-License-Identifier: GPL-2.0

//! What a lease with a grant has beyond others: the folios that were made clean while others pinned
//! them.
//!
//! Of a pin that somebody else made we learn neither when it begins nor when it ends. What counts is
//! that such a folio may be clean while a device writes, and becomes so only in `folio_mkclean`. There
//! it is noted here, with a reference, so that nobody throws it out of the file before it was made
//! dirty again, be it pinned then or not. It stays noted while that is being done: who looks
//! meanwhile sees it.

use crate::{
    arbiter::Arbiter,
    policy::range::{PageRange, LARGEST_FOLIO, PAGE_SIZE},
    sys::{
        folio::{Folio, FolioRef},
        memlock::Charge,
    },
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{alloc::flags::*, prelude::*};

/// See above.
///
/// # Invariants
///
/// Each element of `notes` is a [`Note`]; with a folio it has a reference that is ours, and is at the
/// first of the folio's pages that the range has. They are changed under the lock of the arbiter.
pub(crate) struct Grant {
    range: PageRange,
    notes: KVVec<AtomicUsize>,
    /// How many have a folio.
    count: AtomicUsize,
    _charge: Charge,
}

/// The address of a folio, or 0, and in the bits that it does not need how often something was noted
/// there: who took a look can tell whether that was since.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Note(usize);

/// Folios are aligned to `struct page`, which is.
const TIMES: usize = 63;

impl Note {
    fn folio(self) -> usize {
        self.0 & !TIMES
    }

    /// The next one at this place.
    fn next(self, folio: usize) -> Self {
        Self(folio | (self.0 + 1) & TIMES)
    }
}

/// A folio that is noted, with a reference of its own.
pub(crate) struct Noted {
    pub(crate) folio: FolioRef,
    page: u64,
    note: Note,
}

/// What [`Grant::next`] finds.
pub(crate) enum Next {
    /// A folio.
    Folio(Noted),
    /// Nothing up to there.
    From(u64),
    /// There is none.
    End,
}

/// Places that are looked at under the lock in one go.
const STRIDE: u64 = 1 << 14;

impl Grant {
    /// For the whole life of a lease of `range` by the current process. May sleep. Errors: `ENOMEM`,
    /// also above RLIMIT_MEMLOCK.
    pub(crate) fn new(range: PageRange) -> Result<Self> {
        let flags = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
        let count = usize::try_from(range.count()).map_err(|_| ENOMEM)?;
        let bytes = (count as u64).saturating_mul(size_of::<AtomicUsize>() as u64);
        let charge = Charge::current(bytes.div_ceil(PAGE_SIZE))?;
        let mut notes = KVVec::with_capacity(count, flags)?;
        for _ in 0..count {
            notes.push(AtomicUsize::new(0), flags)?;
        }
        // INVARIANT: There is no folio.
        Ok(Self {
            range,
            notes,
            count: AtomicUsize::new(0),
            _charge: charge,
        })
    }

    /// Notes a folio that has a page of the range. Any context but interrupts.
    pub(crate) fn note(&self, folio: &Folio, _under_lock: &Arbiter) {
        let page = folio.index().max(self.range.first());
        let address = folio.reference().into_raw() as usize;
        // INVARIANT: It comes with a reference, at its place.
        self.replace(page, address);
    }

    /// Puts the address of a folio, with its reference, or 0 at a place.
    fn replace(&self, page: u64, address: usize) {
        let place = (page - self.range.first()) as usize;
        let before = Note(self.notes[place].load(Ordering::Relaxed));
        self.notes[place].store(before.next(address).0, Ordering::Relaxed);
        match (before.folio(), address) {
            (0, 0) => (),
            (0, _) => _ = self.count.fetch_add(1, Ordering::Relaxed),
            (_, 0) => _ = self.count.fetch_sub(1, Ordering::Relaxed),
            (_, _) => (),
        }
        // SAFETY: By the invariant the reference was ours; nobody else has it any more.
        drop(unsafe { FolioRef::from_raw(before.folio() as *mut _) });
    }

    /// The next folio noted, from page `from` on, that has a page of `range`; only the first
    /// [`STRIDE`] places are looked at.
    pub(crate) fn next(&self, from: u64, range: PageRange, _under_lock: &Arbiter) -> Next {
        let begin = range.widened(LARGEST_FOLIO).first().max(from);
        let begin = begin.clamp(self.range.first(), self.range.end());
        let end = range.end().clamp(begin, self.range.end());
        if begin == end || self.count.load(Ordering::Relaxed) == 0 {
            return Next::End;
        }
        let stop = end.min(begin + STRIDE);
        let found = (begin..stop).find_map(|page| {
            let place = (page - self.range.first()) as usize;
            let note = Note(self.notes[place].load(Ordering::Relaxed));
            let raw = note.folio() as *mut crate::bindings::folio;
            // SAFETY: By the invariant, and under the lock, it is a folio with a reference.
            let folio = unsafe { raw.cast::<Folio>().as_ref() }?;
            let has_page = folio.index() + folio.pages() > range.first();
            has_page.then(|| Noted {
                folio: folio.reference(),
                page,
                note,
            })
        });
        found.map_or(Next::From(stop), Next::Folio)
    }

    /// The folio need not be noted any more, unless it was again since [`next`](Self::next).
    pub(crate) fn done(&self, noted: &Noted, _under_lock: &Arbiter) {
        let place = (noted.page - self.range.first()) as usize;
        if self.notes[place].load(Ordering::Relaxed) == noted.note.0 {
            // INVARIANT: There is no folio.
            self.replace(noted.page, 0);
        }
    }
}

impl Noted {
    /// From where to look for the next one.
    pub(crate) fn after(&self) -> u64 {
        self.page + 1
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if *self.count.get_mut() == 0 {
            return;
        }
        for note in &mut self.notes {
            let folio = Note(*note.get_mut()).folio();
            // SAFETY: By the invariant; nobody else has it any more.
            drop(unsafe { FolioRef::from_raw(folio as *mut _) });
        }
    }
}
