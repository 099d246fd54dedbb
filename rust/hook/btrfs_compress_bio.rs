// SPDX-License-Identifier: GPL-2.0

//! The one place where btrfs compresses, and so reads pages before there is a bio for them.
//!
//! `struct compressed_bio *btrfs_compress_bio(struct btrfs_inode *inode, u64 start, u32 len,
//! unsigned int type, int level, blk_opf_t write_flags)`, fs/btrfs/compression.h
//!
//! Pages that a device may write are not compressed: btrfs takes an error here for data that do not
//! become smaller, and writes them as they are, by `btrfs_submit_bbio`, where the snapshot is. The
//! folios of the range have been locked and write-protected (`lock_delalloc_folios()`) and stay
//! locked until they are under writeback, so that none is pinned for writing after the question.

use crate::{
    policy::range::PageRange,
    registry,
    sys::{btrfs_inode::BtrfsInode, inode::Inode},
};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(symbol = "btrfs_compress_bio", filesystem = "btrfs")]
fn compress(
    original: Original,
    inode: &BtrfsInode,
    start: u64,
    length: u32,
    method: u32,
    level: c_int,
    flags: u32,
) -> *mut c_void {
    match inode.inode() {
        Some(known) if may_be_written(known, start, length) => E2BIG.to_ptr(),
        _ => original.call(inode, start, length, method, level, flags),
    }
}

/// Whether a device may write there now. May sleep.
fn may_be_written(inode: &Inode, start: u64, length: u32) -> bool {
    let mapping = inode.mapping();
    // A range that cannot be told is not compressed.
    registry::find(mapping.key()).is_some()
        && PageRange::covering(start, length.into()).map_or(true, |range| mapping.has_pinned(range))
}
