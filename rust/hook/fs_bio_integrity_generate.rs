// SPDX-License-Identifier: GPL-2.0

//! iomap computes protection information (T10-PI) before `submit_bio`: XFS does so by itself, for
//! the others the block layer does, after `submit_bio`.
//!
//! What it makes belongs to the whole bio, which therefore cannot be split here.

use crate::{
    snapshot::{self, BioEnd},
    sys::bio::Bio,
};
use pinlease_macros::hook;

#[hook(function = fs_bio_integrity_generate)]
fn generate(original: Original, bio: &Bio) {
    if let Some(leased) = snapshot::leased_writeback(bio) {
        snapshot::take(&leased, bio, BioEnd(bio));
    }
    original.call(bio)
}
