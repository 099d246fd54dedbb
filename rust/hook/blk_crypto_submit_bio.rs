// SPDX-License-Identifier: GPL-2.0

//! Where the block layer encrypts what the disk cannot (fscrypt): from the pages of the bio, before
//! `submit_bio`, into pages of its own. Some ciphers read a page twice, Adiantum for one.
//!
//! `blk_crypto_submit_bio()` itself is inline; this is its part for bios with an encryption context.
//! The original says whether its caller is to submit the bio: when the disk encrypts. It is passed
//! by `submit_bio` then, which finds copies where pages were pinned, and has nothing left to do.

use crate::{snapshot, sys::bio::Bio};
use pinlease_macros::hook;

#[hook(function = __blk_crypto_submit_bio)]
fn encrypt(original: Original, bio: &Bio) -> bool {
    if let Some(leased) = snapshot::leased_writeback(bio) {
        snapshot::take_in_pieces(&leased, bio, |front| {
            if original.call(front) {
                front.submit();
            }
        });
    }
    original.call(bio)
}
