// SPDX-License-Identifier: GPL-2.0

//! Where block filesystems agree: every bio of theirs passes here once.

use crate::{
    snapshot::{self, BioEnd},
    sys::bio::Bio,
};
use pinlease_macros::hook;

#[hook(function = submit_bio)]
fn submit(original: Original, bio: &Bio) {
    if let Some(leased) = snapshot::leased_writeback(bio) {
        while let Some(front) = bio.split_front(snapshot::PIECE, &snapshot::reserve::PIECES) {
            snapshot::take(&leased, front, BioEnd(front));
            original.call(front);
        }
        snapshot::take(&leased, bio, BioEnd(bio));
    }
    original.call(bio)
}
