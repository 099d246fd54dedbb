// SPDX-License-Identifier: GPL-2.0

//! Where block filesystems agree: every bio of theirs passes here once.

use crate::{snapshot, sys::bio::Bio};
use pinlease_macros::hook;

#[hook(function = submit_bio)]
fn submit(original: Original, bio: &Bio) {
    // With protection information its pages are those from which that was computed.
    let leased = (!bio.has_integrity())
        .then(|| snapshot::leased_writeback(bio))
        .flatten();
    if let Some(leased) = leased {
        snapshot::take_in_pieces(&leased, bio, |front| original.call(front));
    }
    original.call(bio)
}
