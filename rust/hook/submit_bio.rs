// SPDX-License-Identifier: GPL-2.0

//! Where block filesystems agree: every bio of theirs passes here once.

use crate::{
    snapshot::{self, BioEnd, PieceEnd},
    sys::bio::Bio,
};
use pinlease_macros::hook;

#[hook(function = submit_bio)]
fn submit(original: Original, bio: &Bio) {
    // With protection information its pages are those from which that was computed.
    let leased = (!bio.has_integrity())
        .then(|| snapshot::leased_writeback(bio))
        .flatten();
    if let Some(leased) = leased {
        while let Some(front) = bio.split_front(snapshot::PIECE, &snapshot::reserve::PIECES) {
            snapshot::take(&leased, front, PieceEnd(front));
            original.call(front);
        }
        snapshot::take(&leased, bio, BioEnd(bio));
    }
    original.call(bio)
}
