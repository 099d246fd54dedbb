// SPDX-License-Identifier: GPL-2.0

//! `EXT4_IOC_MOVE_EXT`: exchanges extents of two files.
//!
//! `int ext4_move_extents(struct file *o_filp, struct file *d_filp, __u64 orig_blk, __u64 donor_blk,
//! __u64 len, __u64 *moved_len)`, fs/ext4/move_extent.c. The caller holds freeze protection and
//! nothing else.

use crate::{
    breaker::{self, Operation},
    conflict::{self, Place},
    policy::range::PageRange,
    sys::{file::FileExt, freeze::Level},
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(symbol = "ext4_move_extents", filesystem = "ext4")]
fn move_extents(
    original: Original,
    file: &LocalFile,
    donor: &LocalFile,
    block: u64,
    donor_block: u64,
    blocks: u64,
    moved: *mut u64,
) -> c_int {
    let place = |file: &LocalFile, block: u64| {
        let size = file.super_block().block_size();
        let bytes = block.checked_mul(size).zip(blocks.checked_mul(size));
        bytes.and_then(|(offset, length)| PageRange::covering(offset, length).ok())
    };
    let patience = breaker::patience(file.is_nonblocking());
    let places = [
        Place::new(file.mapping(), place(file, block), patience),
        Place::new(donor.mapping(), place(donor, donor_block), patience),
    ];
    let level = Level::Super(file.super_block());
    let _passage = match conflict::pass(&places, Operation::Exchange, level) {
        Ok(passage) => passage,
        Err(error) => return error.to_errno(),
    };
    original.call(file, donor, block, donor_block, blocks, moved)
}
