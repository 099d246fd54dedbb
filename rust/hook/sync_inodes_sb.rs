// SPDX-License-Identifier: GPL-2.0

//! Whoever asks for durability of a whole filesystem: sync, syncfs, remount, umount.
//!
//! All callers hold `s_umount`. A freeze comes here, too, with the page-fault level of the freeze
//! already taken, where `page_mkwrite` would wait for itself: then nothing is re-armed, the hook of
//! `freeze_super` has done it. With `s_umount` held a freeze does not get to that level.

use crate::{policy::range::PageRange, rearm::Frozen, registry, sys::super_block::SuperBlock};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(function = sync_inodes_sb)]
fn sync(original: Original, super_block: &SuperBlock) {
    if !super_block.refuses_page_faults() {
        if let Err(error) = rearm_all(super_block, Frozen::Wait) {
            // For syncfs; fsync of the file finds out itself.
            super_block.set_error(error);
        }
    }
    original.call(super_block);
    flush(super_block);
}

/// Has the disk make durable what was written just now.
///
/// The filesystem's `sync_fs` comes next and sees to that, but XFS's only when it has something to
/// write to its log. Of pages that have their blocks that is the timestamps, and another task's
/// fsync may have written those before the data: then `xfs_log_force()` does nothing, and nobody
/// flushes. (`xfs_file_fsync()` flushes in that case.)
fn flush(super_block: &SuperBlock) {
    if super_block.is(b"xfs") && registry::files_of(super_block).next().is_some() {
        if let Err(error) = super_block.flush_disk() {
            super_block.set_error(error);
        }
    }
}

/// Re-arms all leased files of a filesystem. Errors: the first one's.
pub(super) fn rearm_all(super_block: &SuperBlock, frozen: Frozen) -> Result {
    let all = PageRange::from_byte(0)?;
    let mut result = Ok(());
    for leased in registry::files_of(super_block) {
        result = result.and(leased.rearm(all, frozen));
    }
    result
}
