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
    policy::range::{PageRange, LARGEST_FOLIO, PAGE_SIZE},
    sys::{
        folio::{Folio, FolioRef},
        folio_slot::{FolioSlot, Version},
        memlock::Charge,
    },
    written::Written,
};
use kernel::{
    alloc::flags::*,
    new_spinlock,
    prelude::*,
    sync::{Arc, SpinLock},
};

/// See above.
#[pin_data]
pub(crate) struct Grant {
    range: PageRange,
    #[pin]
    notes: SpinLock<Notes>,
    written: Arc<Written>,
    _charge: Charge,
}

struct Notes {
    /// One for each page of the range; a folio is at the first of its pages there.
    slots: KVVec<FolioSlot>,
    /// How many have a folio.
    count: usize,
}

/// A folio that is noted, with a reference of its own.
pub(crate) struct Noted {
    pub(crate) folio: FolioRef,
    page: u64,
    version: Version,
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

/// Slots that are looked at under the lock in one go.
const STRIDE: u64 = 1 << 14;

impl Grant {
    /// For the whole life of a lease of `range` by the current process. May sleep. Errors: `ENOMEM`,
    /// also above RLIMIT_MEMLOCK.
    pub(crate) fn new(range: PageRange) -> Result<Arc<Self>> {
        let flags = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;
        let count = usize::try_from(range.count()).map_err(|_| ENOMEM)?;
        let bytes = (count as u64).saturating_mul(size_of::<FolioSlot>() as u64);
        let charge = Charge::current(bytes.div_ceil(PAGE_SIZE))?;
        let mut slots = KVVec::with_capacity(count, flags)?;
        for _ in 0..count {
            slots.push(FolioSlot::new(), flags)?;
        }
        let written = Written::new(range)?;
        Arc::pin_init(
            pin_init!(Self {
                range,
                notes <- new_spinlock!(Notes { slots, count: 0 }),
                written,
                _charge: charge,
            }),
            GFP_KERNEL,
        )
    }

    /// What was written of its pages; of use only for folios that are noted.
    pub(crate) fn written(&self) -> &Arc<Written> {
        &self.written
    }

    /// The place of a page of the range.
    fn place(&self, page: u64) -> usize {
        (page - self.range.first()) as usize
    }

    /// Notes a folio that has a page of the range. Any context but interrupts.
    pub(crate) fn note(&self, folio: &Folio) {
        let place = self.place(folio.index().max(self.range.first()));
        let mut notes = self.notes.lock();
        let before = notes.slots[place].replace(Some(folio.reference()));
        if before.is_none() {
            notes.count += 1;
        }
        drop(notes);
        drop(before);
    }

    /// The next folio noted, from page `from` on, that has a page of `range`; only the first
    /// [`STRIDE`] slots are looked at.
    pub(crate) fn next(&self, from: u64, range: PageRange) -> Next {
        let begin = range.widened(LARGEST_FOLIO).first().max(from);
        let begin = begin.clamp(self.range.first(), self.range.end());
        let end = range.end().clamp(begin, self.range.end());
        let notes = self.notes.lock();
        if begin == end || notes.count == 0 {
            return Next::End;
        }
        let stop = end.min(begin + STRIDE);
        let slots = &notes.slots[self.place(begin)..self.place(stop)];
        let found = (begin..).zip(slots).find_map(|(page, slot)| {
            let folio = slot.folio()?;
            let has_page = folio.index() + folio.pages() > range.first();
            has_page.then(|| Noted {
                folio: folio.reference(),
                page,
                version: slot.version(),
            })
        });
        found.map_or(Next::From(stop), Next::Folio)
    }

    /// The folio need not be noted any more, unless it was again since [`next`](Self::next).
    pub(crate) fn done(&self, noted: &Noted) {
        let mut notes = self.notes.lock();
        let slot = &mut notes.slots[self.place(noted.page)];
        if slot.version() == noted.version {
            let folio = slot.replace(None);
            notes.count -= 1;
            drop(notes);
            drop(folio);
        }
    }
}

impl Noted {
    /// From where to look for the next one.
    pub(crate) fn after(&self) -> u64 {
        self.page + 1
    }
}
