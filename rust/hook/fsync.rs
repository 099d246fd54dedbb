// SPDX-License-Identifier: GPL-2.0

//! Whoever asks for durability of a file: fsync, fdatasync, msync, O_DSYNC, io_uring and nfsd all
//! end in the filesystem's `->fsync`, called by pointer.
//!
//! Callers may hold the outermost freeze level (O_DSYNC writes do), but no lock that `page_mkwrite`
//! takes, and are not in a freeze.

use crate::{
    policy::range::PageRange,
    rearm::Frozen,
    registry,
    statistics::latency,
    sys::{clock, file::FileExt},
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(file_operation = fsync)]
fn sync(original: Original, file: &LocalFile, start: i64, end: i64, datasync: c_int) -> c_int {
    let leased = registry::find(file.mapping().key());
    let (Some(leased), Some(range)) = (leased, PageRange::of_sync(start, end)) else {
        return original.call(file, start, end, datasync);
    };
    let _pass = leased.gather_failures();
    let began = clock::now();
    let rearmed = leased.rearm(range, Frozen::Wait);
    latency::FSYNC_REARM.note_since(began);
    let result = original.call(file, start, end, datasync);
    // A journal that fails or a filesystem that shut down is not seen otherwise.
    if let Some(error) = unsaved(result).filter(|_| !leased.explains_failure()) {
        leased.note_failure(error, range);
    }
    // Also if another pass has not ended: there may always be one.
    leased.tell_failures();
    match rearmed {
        Err(error) if result == 0 => error.to_errno(),
        _ => result,
    }
}

/// The error of an fsync that did not save everything.
fn unsaved(result: c_int) -> Option<Error> {
    if result >= 0 {
        return None;
    }
    match Error::from_errno(result) {
        error @ (ENOSPC | EDQUOT | ENOMEM) => Some(error),
        // It may be tried again.
        EINTR | ERESTARTSYS => None,
        _ => Some(EIO),
    }
}
