// SPDX-License-Identifier: GPL-2.0

//! Snapshots whose bio has ended, kept with their pages for the next ones: the allocator clears
//! pages that are going to be overwritten, which costs as much as the copy.

use super::{Snapshot, PIECE};
use crate::registry;
use core::{
    ptr::null_mut,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::prelude::*;

/// How many are kept, of [`PIECE`] pages at most: 4 MiB.
const SPARES: usize = 4;

/// Each null, or from `KBox::into_raw` and nobody else's.
static SLOTS: [AtomicPtr<Snapshot>; SPARES] = [const { AtomicPtr::new(null_mut()) }; SPARES];

/// One that was kept, empty but for its pages. Any context.
pub(super) fn take() -> Option<KBox<Snapshot>> {
    SLOTS.iter().find_map(|slot| {
        let snapshot = slot.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: It was in the slot, and is there no more.
        (!snapshot.is_null()).then(|| unsafe { KBox::from_raw(snapshot) })
    })
}

/// Keeps it, or frees it where there are enough, or no lease is left. Any context.
pub(super) fn keep(mut snapshot: KBox<Snapshot>) {
    if snapshot.pages.len() > PIECE || registry::is_empty() {
        return;
    }
    snapshot.vector.clear();
    snapshot.copies.clear();
    let snapshot = KBox::into_raw(snapshot);
    let kept = SLOTS.iter().any(|slot| {
        slot.compare_exchange(null_mut(), snapshot, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    });
    if !kept {
        // SAFETY: No slot has it.
        drop(unsafe { KBox::from_raw(snapshot) });
    }
}

/// Frees all. No lease is left. Any context.
pub(crate) fn free() {
    while let Some(snapshot) = take() {
        drop(snapshot);
    }
}
