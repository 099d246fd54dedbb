// SPDX-License-Identifier: GPL-2.0

//! Clone and dedupe: they share extents, as source and as destination.

use crate::{conflict, policy::range::PageRange, sys::file::FileExt};
use kernel::fs::LocalFile;
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
    let conflict = conflict::check(from.mapping(), shared(from_offset, length))
        .and(conflict::check(to.mapping(), shared(to_offset, length)));
    if let Err(error) = conflict {
        return error.to_errno().into();
    }
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
