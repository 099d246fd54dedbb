// SPDX-License-Identifier: GPL-2.0

//! The reserve of snapshots: a mempool whose elements each suffice for one bio of
//! [`PIECE`] pages, so that nobody waits for the second half of what he needs while
//! another holds the first.

use super::{Snapshot, PIECE};
use crate::sys::mempool::{BioSet, Element, Mempool};
use kernel::{alloc::Flags, prelude::*};

/// Elements that are always there.
const ELEMENTS: usize = 2;

static POOL: Mempool<Snapshot> = Mempool::new();

/// Bios that are split off.
pub(crate) static PIECES: BioSet = BioSet::new();

impl Element for Snapshot {
    fn new(flags: Flags) -> Result<KBox<Self>> {
        let mut snapshot = Self::with_room(PIECE, flags)?;
        snapshot.add_pages(PIECE, flags)?;
        snapshot.from_reserve = true;
        Ok(snapshot)
    }
}

/// Fills the reserve: 2 MiB. Once, before anything else here. Errors: `ENOMEM`.
pub(crate) fn init() -> Result {
    POOL.init(ELEMENTS)?;
    PIECES.init(ELEMENTS as u32).inspect_err(|_| POOL.destroy())
}

/// Frees the reserve. All is back.
pub(crate) fn exit() {
    PIECES.exit();
    POOL.destroy();
}

/// An empty snapshot with pages; waits for one. May sleep.
pub(super) fn take() -> KBox<Snapshot> {
    POOL.take()
}

/// Takes one back. Any context.
pub(super) fn give_back(mut snapshot: KBox<Snapshot>) {
    snapshot.vector.clear();
    snapshot.copies.clear();
    POOL.give_back(snapshot);
}
