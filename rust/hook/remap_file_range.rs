// SPDX-License-Identifier: GPL-2.0

//! Clone and dedupe: they share extents, as source and as destination; and copy_file_range(2),
//! which tries that first and copies when it fails.
//!
//! The callers hold freeze protection of the destination and nothing else, but for overlayfs, which
//! holds a lock and acts as somebody else.

use crate::{
    bindings,
    breaker::{self, Operation},
    conflict::{self, Place},
    policy::{lease_state::Patience, range::PageRange},
    sys::{file::FileExt, freeze::Level},
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(file_operation = remap_file_range)]
fn remap_file_range(
    original: Original,
    from: &LocalFile,
    from_offset: i64,
    to: &LocalFile,
    to_offset: i64,
    length: i64,
    flags: u32,
) -> i64 {
    let operation = if flags & bindings::CONST_REMAP_FILE_DEDUP != 0 {
        Operation::Dedupe
    } else if flags & bindings::CONST_REMAP_FILE_CAN_SHORTEN != 0 {
        Operation::Copy
    } else {
        Operation::Clone
    };
    // Who can only read the source could have its holder killed otherwise.
    let nonblocking = to.is_nonblocking();
    let patience = |file: &LocalFile| match file.is_writable() {
        true => breaker::patience(nonblocking),
        false => Patience::OnlyReads,
    };
    let places = [
        Place::new(from.mapping(), shared(from_offset, length), patience(from)),
        Place::new(to.mapping(), shared(to_offset, length), patience(to)),
    ];
    let level = Level::Super(to.super_block());
    let _passage = match conflict::pass(&places, operation, level) {
        Ok(passage) => passage,
        // Dedupe answers for each destination, where no call is begun anew.
        Err(ERESTARTSYS) if operation == Operation::Dedupe => return EINTR.to_errno().into(),
        Err(error) => return error.to_errno().into(),
    };
    original.call(from, from_offset, to, to_offset, length, flags)
}

/// The pages that are shared; a length of 0 means up to the end.
fn shared(offset: i64, length: i64) -> Option<PageRange> {
    let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
    match length {
        0 => PageRange::from_byte(offset).ok(),
        length => PageRange::covering(offset, length).ok(),
    }
}
