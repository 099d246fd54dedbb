// SPDX-License-Identifier: GPL-2.0

//! Whoever asks for durability of a file: fsync, fdatasync, msync, O_DSYNC, io_uring and nfsd all
//! end in the filesystem's `->fsync`, called by pointer.
//!
//! Callers may hold the outermost freeze level (O_DSYNC writes do), but no lock that `page_mkwrite`
//! takes, and are not in a freeze.

use crate::{policy::range::PageRange, rearm::Frozen, registry, sys::file::FileExt};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(file_operation = fsync)]
fn sync(original: Original, file: &LocalFile, start: i64, end: i64, datasync: c_int) -> c_int {
    if let Some(leased) = registry::find(file.mapping().key()) {
        if let Some(range) = PageRange::of_sync(start, end) {
            // An error is recorded in the mapping, and the original reports it.
            let _ = leased.rearm(range, Frozen::Wait);
        }
    }
    original.call(file, start, end, datasync)
}
