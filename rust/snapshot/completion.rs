// SPDX-License-Identifier: GPL-2.0

//! The end of a bio that writes a snapshot: everything is put back, then the owner learns of it.

use super::{Snapshot, IN_FLIGHT};
use crate::{
    bindings, failure,
    statistics::{latency, totals},
    sys::{bio::Bio, bio::Vector, btf::BtrfsBioLayout},
    trace,
};
use core::sync::atomic::Ordering;
use kernel::{prelude::*, sync::SetOnce};

/// What a bio had before.
pub(crate) struct Saved {
    vector: Vector,
    end: usize,
    private: *mut c_void,
}

impl Saved {
    pub(super) fn none() -> Self {
        Self {
            vector: Vector {
                segments: core::ptr::null_mut(),
                count: 0,
                index: 0,
                offset: 0,
            },
            end: 0,
            private: core::ptr::null_mut(),
        }
    }
}

/// How the owner of a bio learns of its end.
pub(crate) trait End: Copy {
    /// What to put back.
    fn save(self) -> Saved;

    /// Sends the end to us.
    ///
    /// # Safety
    ///
    /// The bio is the caller's to submit, and `snapshot` has what [`save`](Self::save) returned.
    unsafe fn redirect(self, snapshot: *mut Snapshot);
}

/// Sends the end of a bio to `end`, with `snapshot` as its private data.
///
/// # Safety
///
/// As for [`End::redirect`].
unsafe fn redirect_bio(
    bio: &Bio,
    end: unsafe extern "C" fn(*mut bindings::bio),
    snapshot: *mut Snapshot,
) {
    let bio = bio.as_ptr();
    // SAFETY: As the caller promises.
    unsafe {
        (*bio).bi_end_io = Some(end);
        (*bio).bi_private = snapshot.cast();
    }
}

/// By `bi_end_io`.
#[derive(Clone, Copy)]
pub(crate) struct BioEnd<'a>(pub(crate) &'a Bio);

/// By `bio_chain()`: a piece that was split off. What that sets as `bi_end_io` is a mark for
/// `bio_endio()`, and must not be called.
#[derive(Clone, Copy)]
pub(crate) struct PieceEnd<'a>(pub(crate) &'a Bio);

impl End for PieceEnd<'_> {
    fn save(self) -> Saved {
        BioEnd(self.0).save()
    }

    unsafe fn redirect(self, snapshot: *mut Snapshot) {
        // SAFETY: As the caller promises.
        unsafe { redirect_bio(self.0, end_piece, snapshot) };
    }
}

/// `bio_end_io_t`; any context. As `__bio_chain_endio()` in block/bio.c.
unsafe extern "C" fn end_piece(piece: *mut bindings::bio) {
    // SAFETY: `redirect` put it there, and a bio ends once.
    let snapshot = unsafe { KBox::<Snapshot>::from_raw((*piece).bi_private.cast()) };
    let whole: *mut bindings::bio = snapshot.completion.private.cast();
    // SAFETY: The piece has ended, and is only used to learn how.
    let failed = unsafe { put_back(piece, &snapshot.completion) };
    finish(snapshot, failed);
    // SAFETY: The whole waits for its pieces; the first error is kept, as for any chained bio.
    unsafe {
        if failed && (*whole).bi_status == 0 {
            (*whole).bi_status = (*piece).bi_status;
        }
        bindings::bio_put(piece);
        bindings::bio_endio(whole);
    }
    IN_FLIGHT.fetch_sub(1, Ordering::Release);
}

impl End for BioEnd<'_> {
    fn save(self) -> Saved {
        let bio = self.0.as_ptr();
        // SAFETY: The bio is ours to submit.
        let (end, private) = unsafe { ((*bio).bi_end_io, (*bio).bi_private) };
        Saved {
            vector: self.0.vector(),
            end: end.map_or(0, |end| end as usize),
            private,
        }
    }

    unsafe fn redirect(self, snapshot: *mut Snapshot) {
        // SAFETY: As the caller promises.
        unsafe { redirect_bio(self.0, end_bio, snapshot) };
    }
}

/// `bio_end_io_t`; any context.
unsafe extern "C" fn end_bio(bio: *mut bindings::bio) {
    // SAFETY: `redirect` put it there, and a bio ends once.
    let snapshot = unsafe { KBox::<Snapshot>::from_raw((*bio).bi_private.cast()) };
    // SAFETY: The bio has ended, so that it is ours until its owner learns of it.
    let failed = unsafe { put_back(bio, &snapshot.completion) };
    // SAFETY: `save` read it there.
    let end: bindings::bio_end_io_t = unsafe { core::mem::transmute(snapshot.completion.end) };
    // SAFETY: As above.
    unsafe {
        (*bio).bi_end_io = end;
        (*bio).bi_private = snapshot.completion.private;
    }
    finish(snapshot, failed);
    if let Some(end) = end {
        // SAFETY: This is the end of the bio that its owner waits for.
        unsafe { end(bio) };
    }
    IN_FLIGHT.fetch_sub(1, Ordering::Release);
}

static LAYOUT: SetOnce<BtrfsBioLayout> = SetOnce::new();

/// The layout of `struct btrfs_bio`, once a btrfs file was leased.
pub(crate) fn btrfs_layout() -> Option<BtrfsBioLayout> {
    LAYOUT.copy()
}

/// Finds the layout. May sleep. Errors: `ENOENT`, see [`BtrfsBioLayout::of_running_kernel`].
pub(crate) fn learn_btrfs_layout() -> Result {
    if LAYOUT.as_ref().is_none() {
        LAYOUT.populate(BtrfsBioLayout::of_running_kernel()?);
    }
    Ok(())
}

/// By `end_io` of the `struct btrfs_bio` around it.
#[derive(Clone, Copy)]
pub(crate) struct BtrfsBio {
    raw: *mut u8,
    layout: BtrfsBioLayout,
}

/// `btrfs_bio_end_io_t`.
type BtrfsEnd = unsafe extern "C" fn(*mut c_void);

impl BtrfsBio {
    /// `raw` is a `struct btrfs_bio`: the argument of a hooked `btrfs_submit_bbio`, or of its end.
    pub(crate) fn new(raw: *mut c_void, layout: BtrfsBioLayout) -> Self {
        Self {
            raw: raw.cast(),
            layout,
        }
    }

    /// The bio in it.
    pub(crate) fn bio(&self) -> &Bio {
        // SAFETY: Within the structure, which its owner keeps until it has ended.
        unsafe { &*self.raw.add(self.layout.bio).cast() }
    }

    fn end(self) -> *mut usize {
        // SAFETY: Within the structure.
        unsafe { self.raw.add(self.layout.end_io).cast() }
    }

    fn private(self) -> *mut *mut c_void {
        // SAFETY: Within the structure.
        unsafe { self.raw.add(self.layout.private).cast() }
    }
}

impl End for BtrfsBio {
    fn save(self) -> Saved {
        Saved {
            vector: self.bio().vector(),
            // SAFETY: The structure is ours to submit.
            end: unsafe { self.end().read() },
            // SAFETY: As above.
            private: unsafe { self.private().read() },
        }
    }

    unsafe fn redirect(self, snapshot: *mut Snapshot) {
        // SAFETY: As the caller promises.
        unsafe {
            self.end().write(end_btrfs_bio as usize);
            self.private().write(snapshot.cast());
        }
    }
}

/// `btrfs_bio_end_io_t`; any context.
unsafe extern "C" fn end_btrfs_bio(raw: *mut c_void) {
    let Some(layout) = LAYOUT.copy() else {
        // Nobody could have come here without it.
        return;
    };
    let btrfs_bio = BtrfsBio::new(raw, layout);
    // SAFETY: `redirect` put it there, and a bio ends once.
    let snapshot = unsafe { KBox::<Snapshot>::from_raw(btrfs_bio.private().read().cast()) };
    let bio = btrfs_bio.bio().as_ptr();
    // SAFETY: The bio has ended, so that it is ours until its owner learns of it.
    let failed = unsafe { put_back(bio, &snapshot.completion) };
    let end = snapshot.completion.end;
    // SAFETY: As above.
    unsafe {
        btrfs_bio.end().write(end);
        btrfs_bio.private().write(snapshot.completion.private);
    }
    finish(snapshot, failed);
    // SAFETY: `save` read it there; this is the end that the owner waits for.
    unsafe { core::mem::transmute::<usize, BtrfsEnd>(end)(raw) };
    IN_FLIGHT.fetch_sub(1, Ordering::Release);
}

/// Gives the bio its own vector again; whether it failed.
///
/// # Safety
///
/// The bio has ended, and `saved` is what it had.
unsafe fn put_back(bio: *mut bindings::bio, saved: &Saved) -> bool {
    // SAFETY: As the caller promises: the folios are still under writeback.
    unsafe {
        (*bio).bi_io_vec = saved.vector.segments;
        (*bio).bi_vcnt = saved.vector.count;
        (*bio).bi_iter.bi_idx = saved.vector.index;
        (*bio).bi_iter.bi_offset = saved.vector.offset;
        (*bio).bi_status != 0
    }
}

/// Lets go of the snapshot. Any context.
fn finish(mut snapshot: KBox<Snapshot>, failed: bool) {
    let took = latency::SNAPSHOT.note_since(snapshot.began);
    totals::BOUNCE_MEMORY.fall(snapshot.memory());
    trace::snapshot_done(&snapshot.record, failed, took);
    if let Some((counters, range)) = snapshot.failures.take() {
        if failed {
            counters.note_unwritten(range);
            failure::look_soon();
        }
    }
    snapshot.free();
}
