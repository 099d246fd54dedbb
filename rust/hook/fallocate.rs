// SPDX-License-Identifier: GPL-2.0

//! `fallocate`: punching, zeroing, collapsing, inserting and unsharing conflict; plain
//! preallocation does not.

use crate::{bindings, conflict, policy::range::PageRange, sys::file::FileExt};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(file_operation = fallocate)]
fn fallocate(
    original: Original,
    file: &LocalFile,
    mode: c_int,
    offset: i64,
    length: i64,
) -> c_long {
    let super_block = file.super_block();
    let block = match super_block.filesystem_name().to_bytes() {
        b"xfs" => super_block.block_size(),
        _ => 0,
    };
    if let Err(error) = conflict::check(file.mapping(), changed(mode as u32, offset, length, block))
    {
        return error.to_errno() as c_long;
    }
    original.call(file, mode, offset, length)
}

/// The pages whose place or content changes. Where extents are shifted, XFS also throws out the
/// block before (`xfs_prepare_shift`).
fn changed(mode: u32, offset: i64, length: i64, block: u64) -> Option<PageRange> {
    const SHIFTING: u32 = bindings::FALLOC_FL_COLLAPSE_RANGE | bindings::FALLOC_FL_INSERT_RANGE;
    let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
    match mode & !bindings::FALLOC_FL_KEEP_SIZE {
        bindings::FALLOC_FL_ALLOCATE_RANGE => None,
        mode if mode & SHIFTING != 0 => PageRange::from_byte(offset.saturating_sub(block)).ok(),
        _ => PageRange::covering(offset, length).ok(),
    }
}
