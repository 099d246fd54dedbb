// SPDX-License-Identifier: GPL-2.0

//! `fallocate`: punching, zeroing, collapsing, inserting and unsharing conflict; plain
//! preallocation does not.
//!
//! The caller holds freeze protection and nothing else: `vfs_fallocate()`; loop and target, which
//! are kernel threads, do not wait, nor does overlayfs, which holds a lock and acts as somebody else.

use crate::{
    bindings,
    breaker::{self, Operation},
    conflict::{self, Place},
    policy::range::PageRange,
    sys::{file::FileExt, freeze::Level},
};
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
    let _passage = match changed(mode as u32, offset, length, block) {
        Some((operation, range)) => {
            let patience = breaker::patience(file.is_nonblocking());
            let place = Place::new(file.mapping(), Some(range), patience);
            match conflict::pass(&[place], operation, Level::Super(super_block)) {
                Ok(passage) => Some(passage),
                Err(error) => return error.to_errno() as c_long,
            }
        }
        None => None,
    };
    original.call(file, mode, offset, length)
}

/// What is done to the pages whose place or content changes. Where extents are shifted, XFS also
/// throws out the block before (`xfs_prepare_shift`).
fn changed(mode: u32, offset: i64, length: i64, block: u64) -> Option<(Operation, PageRange)> {
    let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
    let operation = match mode & !bindings::FALLOC_FL_KEEP_SIZE {
        bindings::FALLOC_FL_ALLOCATE_RANGE => return None,
        bindings::FALLOC_FL_PUNCH_HOLE => Operation::PunchHole,
        bindings::FALLOC_FL_COLLAPSE_RANGE => Operation::CollapseRange,
        bindings::FALLOC_FL_INSERT_RANGE => Operation::InsertRange,
        bindings::FALLOC_FL_UNSHARE_RANGE => Operation::UnshareRange,
        bindings::FALLOC_FL_WRITE_ZEROES => Operation::WriteZeroes,
        // Zeroing, and what is not known.
        _ => Operation::ZeroRange,
    };
    let range = match operation {
        Operation::CollapseRange | Operation::InsertRange => {
            PageRange::from_byte(offset.saturating_sub(block))
        }
        _ => PageRange::covering(offset, length),
    };
    Some((operation, range.ok()?))
}
