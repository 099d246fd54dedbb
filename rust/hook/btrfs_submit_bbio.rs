// SPDX-License-Identifier: GPL-2.0

//! btrfs computes checksums before `submit_bio`, from the pages that it finds in its bio here.
//!
//! `void btrfs_submit_bbio(struct btrfs_bio *bbio, int mirror_num)`, fs/btrfs/bio.h; the structure
//! is private, see [`BtrfsBioLayout`](crate::sys::btf::BtrfsBioLayout).

use crate::snapshot::{self, BtrfsBio};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(symbol = "btrfs_submit_bbio", filesystem = "btrfs")]
fn submit(original: Original, raw: *mut c_void, mirror: c_int) {
    if let Some(layout) = snapshot::btrfs_layout() {
        let btrfs_bio = BtrfsBio::new(raw, layout);
        if let Some(leased) = snapshot::leased_writeback(btrfs_bio.bio()) {
            snapshot::take(&leased, btrfs_bio.bio(), btrfs_bio);
        }
    }
    original.call(raw, mirror)
}
