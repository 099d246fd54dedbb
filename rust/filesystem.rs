// SPDX-License-Identifier: GPL-2.0

//! Which files can be leased: those whose filesystem keeps the promises, in the mode it is in.
//!
//! Each refusal says its reason at debug level, see [`log::refusal`].

use crate::{
    bindings,
    policy::range::PAGE_SIZE,
    snapshot,
    sys::{btrfs_inode, file, file::FileExt, log, super_block::SuperBlock, xfs_inode},
};
use kernel::{fs::File, prelude::*};

/// May sleep. Errors: `EOPNOTSUPP`.
pub(crate) fn check(file: &File) -> Result {
    match refusal(file)? {
        None => Ok(()),
        Some(reason) => {
            log::refusal(reason);
            Err(EOPNOTSUPP)
        }
    }
}

/// What may have changed of a file since [`check`] while it was not leased. May sleep.
///
/// Errors: `EOPNOTSUPP`.
pub(crate) fn check_attributes(file: &File) -> Result {
    let attributes = file.attributes()?;
    if forbid_leases(&attributes) || file.inode().is_swapfile() {
        log::refusal(c"its attributes do not allow it any more, or it is a swap file");
        return Err(EOPNOTSUPP);
    }
    Ok(())
}

/// Whether files of this filesystem may be leased at all.
pub(crate) fn is_known(super_block: &SuperBlock) -> bool {
    matches!(
        super_block.filesystem_name().to_bytes(),
        b"ext4" | b"xfs" | b"btrfs"
    )
}

/// Why `file` cannot be leased; `None` when it can.
fn refusal(file: &File) -> Result<Option<&'static CStr>> {
    let (inode, super_block) = (file.inode(), file.super_block());
    if inode.is_dax() {
        return Ok(Some(c"DAX files have no page cache to snapshot"));
    }
    if inode.is_swapfile() {
        return Ok(Some(c"it is a swap file"));
    }
    if super_block.is_zoned() {
        return Ok(Some(c"its disk has zones, and zone append cannot be split"));
    }
    match super_block.filesystem_name().to_bytes() {
        b"ext4" => ext4(file, super_block),
        b"xfs" => xfs(file, super_block),
        b"btrfs" => btrfs(),
        _ => Ok(Some(
            c"only ext4, xfs and btrfs were proved to keep the promises",
        )),
    }
}

/// Whether a file could not be leased any more with these attributes, which are about to be set: the
/// argument of a hooked `->fileattr_set`.
pub(crate) fn attributes_conflict(attributes: *mut kernel::bindings::file_kattr) -> bool {
    forbid_leases(&file::attributes_of(attributes))
}

fn forbid_leases(attributes: &bindings::file_kattr) -> bool {
    attributes.flags & bindings::FS_JOURNAL_DATA_FL != 0
        || attributes.fsx_xflags & bindings::FS_XFLAG_REALTIME != 0
}

/// With `data=journal`, jbd2 checksums the page itself before it is submitted. Where that is the
/// superblock's default no option shows it, only the operations do.
fn ext4(file: &File, super_block: &SuperBlock) -> Result<Option<&'static CStr>> {
    let flags = file.attributes()?.flags;
    if flags & bindings::FS_INLINE_DATA_FL != 0 {
        return Ok(Some(
            c"its data is in the inode: ext4 journals what it moves out, and replays that over later writes",
        ));
    }
    if flags & bindings::FS_JOURNAL_DATA_FL != 0
        || super_block.shows_option(b"data=journal")?
        || file.mapping().has_operations(c"ext4_journalled_aops")
    {
        return Ok(Some(c"its data is journaled (data=journal or chattr +j)"));
    }
    Ok(None)
}

/// Where XFS allocates in units larger than a page, operations next to a range reach into it.
fn xfs(file: &File, super_block: &SuperBlock) -> Result<Option<&'static CStr>> {
    if super_block.block_size() > PAGE_SIZE {
        return Ok(Some(c"its blocks are larger than a page"));
    }
    if file.attributes()?.fsx_xflags & bindings::FS_XFLAG_REALTIME != 0 {
        return Ok(Some(c"it is on the realtime device"));
    }
    if xfs_inode::learn_layout().is_err() {
        return Ok(Some(c"the kernel has no type information (BTF) of xfs"));
    }
    Ok(None)
}

fn btrfs() -> Result<Option<&'static CStr>> {
    if snapshot::learn_btrfs_layout().is_err() || btrfs_inode::learn_layout().is_err() {
        return Ok(Some(c"the kernel has no type information (BTF) of btrfs"));
    }
    Ok(None)
}
