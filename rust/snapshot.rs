// SPDX-License-Identifier: GPL-2.0

//! Snapshots: writeback of a leased, pinned page writes a copy of it.
//!
//! No second bio: the bio's vector is exchanged for one of ours, in which pinned pages are
//! replaced by copies, and put back before the filesystem looks at its folios again. Flags,
//! cgroup, encryption context and hints of the bio stay what they were.
//!
//! Memory comes from snapshots that are over ([`spare`]) or from the page allocator, without
//! waiting, else from a reserve ([`reserve`]) whose elements each suffice for a bio of [`PIECE`]
//! pages; larger bios are split ([`take_in_pieces`]), so that writeback makes progress with no free
//! memory.
//!
//! # Which pages
//!
//! Those whose folio [may be pinned](crate::sys::folio::Folio::maybe_pinned) at submission; the
//! test is made once for each page of a bio. A device that could write during the write was pinned
//! before `folio_mkclean` made the folio read-only, as every later write pin waits for the
//! writeback that is going on (the mapping has stable writes), so that what is not pinned here
//! cannot change.

mod completion;
pub(crate) mod reserve;
pub(crate) mod spare;

use crate::{
    bindings,
    leased_file::{Counters, LeasedFile},
    parameters,
    policy::range::{PageRange, PAGE_SIZE},
    registry,
    statistics::{counter::Counter, totals},
    sys::{
        bio::{Bio, PagePart, Vector},
        clock,
    },
    trace,
};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{
    alloc::{flags::*, Flags},
    page::Page,
    prelude::*,
    sync::Arc,
};

use completion::PieceEnd;
pub(crate) use completion::{btrfs_layout, learn_btrfs_layout, BioEnd, BtrfsBio};

/// Most pages that are written from one snapshot where a bio can be split.
const PIECE: usize = 256;

/// Pages that are told of at a time.
const NOTED_AT_ONCE: usize = 16;

/// A vector of our own and the pages in it that are copies.
pub(crate) struct Snapshot {
    vector: KVVec<bindings::bio_vec>,
    copies: KVVec<Copied>,
    /// The copies' pages; there may be more than are needed.
    pages: KVVec<Page>,
    from_reserve: bool,
    completion: completion::Saved,
    /// Where a failure is noted, and of which pages. Not the file: it would be closed from an interrupt.
    failures: Option<(Arc<Counters>, PageRange)>,
    /// When it was taken.
    began: u64,
    /// What is told of it.
    record: trace::Snapshot,
}

/// An element of the vector that is a copy.
#[derive(Clone, Copy)]
struct Copied {
    element: u32,
    /// Which page of the file it is part of.
    page: u64,
    /// Whether it is all of that.
    whole: bool,
    bytes: u32,
}

// SAFETY: Once the bio is submitted, only its completion has the snapshot.
unsafe impl Send for Snapshot {}

/// Snapshots whose bio has not ended.
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// Writes whose pages had to come from the reserve.
pub(crate) static FROM_RESERVE: Counter = Counter::new();

/// How many those are.
pub(crate) fn in_flight() -> u64 {
    IN_FLIGHT.load(Ordering::Relaxed) as u64
}

/// Waits until every snapshot's bio has ended. Only for unloading. May sleep.
pub(crate) fn wait_until_written() {
    while IN_FLIGHT.load(Ordering::Acquire) != 0 {
        kernel::time::delay::fsleep(kernel::time::Delta::from_millis(10));
    }
    // SAFETY: May sleep. Completions run in interrupts or in tasks: both have returned then.
    unsafe {
        bindings::synchronize_rcu();
        bindings::synchronize_rcu_tasks();
    }
}

/// The leased file whose writeback `bio` is, if it writes a page that may be pinned.
pub(crate) fn leased_writeback(bio: &Bio) -> Option<Arc<LeasedFile>> {
    if !bio.may_be_writeback() {
        return None;
    }
    let first = bio.pages().next()?;
    let folio = first.folio();
    // Of leased files all mappings have stable writes.
    let mapping = folio
        .mapping()
        .filter(|mapping| mapping.has_stable_writes())?;
    if !folio.is_under_writeback() {
        return None;
    }
    let leased = registry::find(mapping.key())?;
    bio.pages().any(needs_copy).then_some(leased)
}

fn needs_copy(part: PagePart) -> bool {
    part.folio().maybe_pinned()
}

/// Lets `bio` write a snapshot of its pinned pages; `end` says how the bio ends. May sleep.
pub(crate) fn take(leased: &Arc<LeasedFile>, bio: &Bio, end: impl completion::End) {
    let mut snapshot = Snapshot::of(bio);
    if snapshot.copies.is_empty() {
        snapshot.free();
        return;
    }
    snapshot.began = clock::now();
    snapshot.copy();
    snapshot.note(leased);
    snapshot.count(leased, bio.sector());
    IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
    let vector = Vector {
        segments: snapshot.vector.as_mut_ptr(),
        // Only a hint where the iterator is what counts; saturates for btrfs alone.
        count: snapshot.vector.len().min(u16::MAX.into()) as u16,
        index: 0,
        offset: 0,
    };
    snapshot.completion = end.save();
    let snapshot = KBox::into_raw(snapshot);
    // SAFETY: The vector has as many bytes as the bio had left, its pages stay until the
    // completion, which puts back what was saved.
    unsafe {
        bio.set_vector(vector);
        end.redirect(snapshot);
    }
}

/// Lets `bio` write snapshots of its pinned pages, in pieces for which the reserve suffices: all but
/// the last, which is the bio itself, are split off, and `submit` gets them. May sleep.
pub(crate) fn take_in_pieces(leased: &Arc<LeasedFile>, bio: &Bio, submit: impl Fn(&Bio)) {
    while let Some(front) = bio.split_front(PIECE, &reserve::PIECES) {
        take(leased, front, PieceEnd(front));
        submit(front);
    }
    take(leased, bio, BioEnd(bio));
}

impl Snapshot {
    /// Room for a bio's pages, and the decision which are copied.
    fn of(bio: &Bio) -> KBox<Self> {
        let total = bio.pages().count();
        if total > PIECE || !parameters::reserve_only() {
            if let Ok(snapshot) = Self::listing(bio, total) {
                return snapshot;
            }
        }
        if total <= PIECE {
            FROM_RESERVE.add(1);
            let mut snapshot = reserve::take();
            // The reserve's elements have room for it.
            let _ = snapshot.list(bio);
            return snapshot;
        }
        // Only what cannot be split comes here: the larger bios of btrfs, and zone append.
        loop {
            kernel::time::delay::fsleep(kernel::time::Delta::from_millis(10));
            if let Ok(snapshot) = Self::listing(bio, total) {
                return snapshot;
            }
        }
    }

    /// An empty one for so many pages.
    fn with_room(pages: usize, flags: Flags) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                vector: KVVec::with_capacity(pages, flags)?,
                copies: KVVec::with_capacity(pages, flags)?,
                pages: KVVec::new(),
                from_reserve: false,
                completion: completion::Saved::none(),
                failures: None,
                began: 0,
                record: Default::default(),
            },
            flags,
        )?)
    }

    fn listing(bio: &Bio, total: usize) -> Result<KBox<Self>> {
        // Not to wait here: what is used up by others may need this very writeback.
        let flags = without_waiting();
        let mut snapshot = match spare::take() {
            Some(snapshot) => snapshot,
            None => Self::with_room(total, flags)?,
        };
        snapshot.list(bio)?;
        let missing = snapshot.copies.len().saturating_sub(snapshot.pages.len());
        snapshot.add_pages(missing, flags)?;
        Ok(snapshot)
    }

    fn add_pages(&mut self, count: usize, flags: Flags) -> Result {
        self.pages.reserve(count, flags)?;
        for _ in 0..count {
            self.pages.push(Page::alloc_page(flags)?, flags)?;
        }
        Ok(())
    }

    /// Notes the bio's pages, and which are copied. Room is there.
    fn list(&mut self, bio: &Bio) -> Result {
        for (index, part) in bio.pages().enumerate() {
            self.vector.push(part.as_segment(), without_waiting())?;
            if needs_copy(part) {
                // Pinned as it is, it stays in the cache, also if it was not to.
                part.folio().keep_in_cache();
                let copied = Copied {
                    element: index as u32,
                    page: part.index(),
                    whole: part.is_whole(),
                    bytes: part.length,
                };
                self.copies.push(copied, without_waiting())?;
            }
        }
        Ok(())
    }

    fn copy(&mut self) {
        for (copied, page) in self.copies.iter().zip(&self.pages) {
            let segment = &mut self.vector[copied.element as usize];
            let copy = page.as_ptr();
            // SAFETY: Both pages are valid, and the segment is within one.
            unsafe {
                bindings::pinlease_memcpy_page(
                    copy,
                    segment.bv_page,
                    segment.bv_offset as usize,
                    segment.bv_len as usize,
                )
            };
            segment.bv_page = copy;
        }
    }

    /// Counts and traces it, as it is submitted, and remembers where a failure is to be noted.
    fn count(&mut self, leased: &LeasedFile, sector: u64) {
        let copies = self.copies.iter().map(|copied| {
            let page = PageRange::of_folio(copied.page, 1);
            (page, u64::from(copied.bytes))
        });
        let bytes = copies.clone().map(|(_, bytes)| bytes).sum();
        let range = self.range();
        if let Some(range) = range {
            let arbiter = leased.arbiter.lock();
            arbiter.count_snapshot(range, bytes, copies);
        }
        let pages = self.copies.len();
        let counters = &leased.counters;
        counters.snapshots.add(pages as u64);
        self.failures = range.map(|range| (counters.clone(), range));
        totals::SNAPSHOTS.add(1);
        totals::BOUNCED_BYTES.add(bytes);
        totals::BOUNCE_MEMORY.rise(self.memory());
        self.record = trace::Snapshot {
            ino: leased.inode().number(),
            sector,
            bytes,
            dev: leased.super_block().kernel_device_number(),
            pages: self.vector.len() as u32,
            copied: pages as u32,
        };
        trace::snapshot(&self.record);
    }

    /// Bytes that its pages take.
    fn memory(&self) -> u64 {
        self.pages.len() as u64 * PAGE_SIZE
    }

    /// Tells who remembers it what is going to be written.
    fn note(&self, leased: &LeasedFile) {
        let copies = self.copies.chunks(NOTED_AT_ONCE);
        for (copies, pages) in copies.zip(self.pages.chunks(NOTED_AT_ONCE)) {
            let whole = copies.iter().zip(pages).filter(|(copied, _)| copied.whole);
            leased.note_written(whole.map(|(copied, page)| (copied.page, page)));
        }
    }

    /// From the first page that is copied to the last.
    fn range(&self) -> Option<PageRange> {
        let pages = self.copies.iter().map(|copied| copied.page);
        let pages = pages.map(|page| PageRange::of_folio(page, 1));
        pages.reduce(|all, page| all.joined(&page))
    }

    /// Frees it, keeps it or gives it back. Any context.
    fn free(self: KBox<Self>) {
        if self.from_reserve {
            reserve::give_back(self);
        } else {
            spare::keep(self);
        }
    }
}

/// Never sleeps, and complains about nothing.
fn without_waiting() -> Flags {
    GFP_NOWAIT | __GFP_NOWARN
}
