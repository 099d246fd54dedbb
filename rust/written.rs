// SPDX-License-Identifier: GPL-2.0

//! What the last writeback of pinned pages wrote: a page that is still so need not be made dirty
//! and written again.
//!
//! Kept are fingerprints, not copies: 16 bytes for each page instead of the page. There is one
//! for a page only if the last time that it was made clean, a snapshot of it was submitted, which
//! had that content:
//!
//! * `folio_mkclean`, which every way to be clean passes, forgets it, and the submission of the
//!   snapshot notes it; two submissions with different contents make it void;
//! * when a write of the file failed, or what has to follow it (`wb_err` of the mapping), all
//!   are void;
//! * it lives as long as the pin, or as long as the folio is noted under a grant: meanwhile
//!   nothing but writeback changes what the disk has of the page. (A folio can be noted and not
//!   pinned, and then is not forgotten; but whoever pins it anew to write makes it dirty, and it
//!   passes `folio_mkclean` before it is clean again.)
//!
//! It also tells whether any of its pages was made clean at all since they were pinned
//! ([`all_dirty`](Written::all_dirty)).
//!
//! Who asks for durability and finds a page as it was written has what he asks for: what the
//! device had written before is on the disk, or on the way there, and the filesystem waits for that
//! and reports its errors. What the device writes during the look is found at the next one.

use crate::{
    leased_file::LeasedFile,
    policy::{
        range::PageRange,
        written::{Fingerprint, Memory},
    },
    sys::{
        fingerprint,
        folio::Folio,
        mapping::{Mapping, WriteErrors},
        task,
    },
};
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::{alloc::flags::*, new_spinlock, page::Page, prelude::*, sync::Arc, sync::SpinLock};

/// Fingerprints of the pages of a range.
#[pin_data]
pub(crate) struct Written {
    range: PageRange,
    cleaned: AtomicBool,
    #[pin]
    table: SpinLock<Table>,
}

struct Table {
    /// Pages in pieces of [`PIECE`]; one of which nothing is remembered is empty.
    pieces: KVVec<KVec<Memory>>,
    /// What was known of failed writes when they were noted.
    errors: WriteErrors,
}

const PIECE: u64 = 128;

impl Written {
    /// Empty. May sleep. Errors: `ENOMEM`.
    pub(crate) fn new(range: PageRange) -> Result<Arc<Self>> {
        let count = usize::try_from(range.count().div_ceil(PIECE)).map_err(|_| ENOMEM)?;
        let mut pieces = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            pieces.push(KVec::new(), GFP_KERNEL)?;
        }
        let errors = WriteErrors::default();
        Arc::pin_init(
            pin_init!(Self {
                range,
                cleaned: AtomicBool::new(false),
                table <- new_spinlock!(Table { pieces, errors }),
            }),
            GFP_KERNEL,
        )
    }

    /// A page is being written so. It is left out if no memory is free. Any context but interrupts.
    fn note(&self, errors: WriteErrors, page: u64, fingerprint: Fingerprint) {
        let Some((piece, place)) = self.place(page) else {
            return;
        };
        let mut table = self.table.lock();
        if table.errors != errors {
            table.pieces.iter_mut().for_each(KVec::clear);
            table.errors = errors;
        }
        let piece = &mut table.pieces[piece];
        let flags = GFP_NOWAIT | __GFP_NOWARN;
        if !piece.is_empty()
            || piece
                .extend_with(PIECE as usize, Memory::NOTHING, flags)
                .is_ok()
        {
            piece[place].submits(fingerprint);
        }
    }

    /// Whether none of its pages was made clean since they were pinned, when they were dirty.
    pub(crate) fn all_dirty(&self) -> bool {
        !self.cleaned.load(Ordering::Acquire)
    }

    /// A page may have been made clean of which [`forget`](Self::forget) did not tell.
    pub(crate) fn doubt(&self) {
        self.cleaned.store(true, Ordering::Release);
    }

    /// Pages are being made clean. Any context but interrupts.
    pub(crate) fn forget(&self, pages: PageRange) {
        let Some(pages) = pages.intersection(&self.range) else {
            return;
        };
        self.doubt();
        let mut table = self.table.lock();
        for page in pages.first()..pages.end() {
            if let Some((piece, place)) = self.place(page) {
                if let Some(memory) = table.pieces[piece].get_mut(place) {
                    *memory = Memory::NOTHING;
                }
            }
        }
    }

    /// Whether all of `pages`, which are pages of `folio`, are as they were written. May sleep.
    pub(crate) fn is_unchanged(&self, mapping: &Mapping, folio: &Folio, pages: PageRange) -> bool {
        let Some(errors) = mapping.write_errors() else {
            return false;
        };
        let unchanged = (pages.first()..pages.end()).all(|page| {
            // The common case in which it is not is told without reading the page.
            let Some(written) = self.get(errors, page) else {
                return false;
            };
            Some(written) == fingerprint::of_folio(folio, page.wrapping_sub(folio.index()))
        });
        task::reschedule();
        unchanged
    }

    fn get(&self, errors: WriteErrors, page: u64) -> Option<Fingerprint> {
        let (piece, place) = self.place(page)?;
        let table = self.table.lock();
        if table.errors != errors {
            return None;
        }
        table.pieces[piece].get(place)?.fingerprint()
    }

    /// Where a page is remembered: in which piece, and where in that.
    fn place(&self, page: u64) -> Option<(usize, usize)> {
        let place = page.checked_sub(self.range.first())?;
        (place < self.range.count()).then_some(((place / PIECE) as usize, (place % PIECE) as usize))
    }
}

impl LeasedFile {
    /// A few pages of a snapshot are going to be written; with each, which page of the file it is.
    pub(crate) fn note_written<'a>(&self, pages: impl Iterator<Item = (u64, &'a Page)> + Clone) {
        let indices = pages.clone().map(|(index, _)| index);
        let (first, last) = (indices.clone().min(), indices.max());
        let (Some(first), Some(last)) = (first, last) else {
            return;
        };
        let Some(errors) = self.mapping().write_errors() else {
            return;
        };
        let Ok(tables) = self.written_in(PageRange::of_folio(first, last - first + 1)) else {
            return;
        };
        for (index, page) in pages {
            let mut wanted = tables.iter().filter(|table| table.place(index).is_some());
            if let Some(table) = wanted.next() {
                let fingerprint = fingerprint::of_page(page);
                table.note(errors, index, fingerprint);
                wanted.for_each(|table| table.note(errors, index, fingerprint));
            }
        }
    }

    /// Who remembers what was written of pages of `range`. Does not sleep. Errors: `ENOMEM`.
    fn written_in(&self, range: PageRange) -> Result<KVec<Arc<Written>>> {
        let arbiter = self.arbiter.lock();
        let mut tables = KVec::new();
        for written in arbiter.written_in(range) {
            tables.push(written.clone(), GFP_NOWAIT | __GFP_NOWARN)?;
        }
        Ok(tables)
    }
}
