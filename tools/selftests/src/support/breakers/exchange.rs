// SPDX-License-Identifier: GPL-2.0
//! Exchange of extents between two files.

use std::{
    fs::File,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
};

use nix::{errno::Errno, sys::statvfs::fstatvfs};

use super::{other, Target};
use crate::support::expect::from_io;

/// `struct xfs_exchange_range` of fs/xfs/libxfs/xfs_fs.h.
#[repr(C)]
pub struct ExchangeRange {
    file1_fd: i32,
    pad: u32,
    file1_offset: u64,
    file2_offset: u64,
    length: u64,
    flags: u64,
}

/// `struct xfs_swapext` with its `struct xfs_bstat`, of which XFS reads only
/// the times.
#[repr(C)]
pub struct SwapExtents {
    version: i64,
    target: i64,
    other: i64,
    offset: i64,
    length: i64,
    pad: [u8; 16],
    inode: [u64; 5],
    atime: [i64; 2],
    mtime: [i64; 2],
    ctime: [i64; 2],
    rest: [u64; 6],
}

/// `struct move_extent` of fs/ext4/ext4.h.
#[repr(C)]
pub struct MoveExtent {
    reserved: u32,
    donor: u32,
    start: u64,
    donor_start: u64,
    length: u64,
    moved: u64,
}

mod command {
    use super::{ExchangeRange, MoveExtent, SwapExtents};

    nix::ioctl_write_ptr!(exchange_range, b'X', 129, ExchangeRange);
    nix::ioctl_readwrite!(swap_extents, b'X', 109, SwapExtents);
    nix::ioctl_readwrite!(move_extent, b'f', 15, MoveExtent);
}

pub(super) fn range_of(target: &Target<'_>) -> nix::Result<()> {
    exchange_range(target.file, &other::open(target)?, target)
}

pub(super) fn range_with(target: &Target<'_>) -> nix::Result<()> {
    exchange_range(&other::open(target)?, target.file, target)
}

fn exchange_range(first: &File, second: &File, target: &Target<'_>) -> nix::Result<()> {
    let argument = ExchangeRange {
        file1_fd: first.as_raw_fd(),
        pad: 0,
        file1_offset: target.offset,
        file2_offset: target.offset,
        length: target.length,
        flags: 0,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    unsafe { command::exchange_range(second.as_raw_fd(), &argument) }.map(drop)
}

pub(super) fn swap_of(target: &Target<'_>) -> nix::Result<()> {
    swap_extents(target.file, &other::open(target)?)
}

pub(super) fn swap_with(target: &Target<'_>) -> nix::Result<()> {
    swap_extents(&other::open(target)?, target.file)
}

/// XFS says EBUSY when the file was written since its times were read; what
/// breaks a lease makes pages dirty, so that the first attempt may find that.
fn swap_extents(file: &File, with: &File) -> nix::Result<()> {
    const ATTEMPTS: u32 = 3;
    let mut result = Err(Errno::EBUSY);
    for _ in 0..ATTEMPTS {
        result = swap_extents_once(file, with);
        if result != Err(Errno::EBUSY) {
            break;
        }
    }
    result
}

fn swap_extents_once(file: &File, with: &File) -> nix::Result<()> {
    from_io(file.sync_all())?;
    let times = from_io(file.metadata())?;
    let mut argument = SwapExtents {
        version: 0,
        target: file.as_raw_fd().into(),
        other: with.as_raw_fd().into(),
        offset: 0,
        length: times.size() as i64,
        pad: [0; 16],
        inode: [0; 5],
        atime: [0; 2],
        mtime: [times.mtime(), times.mtime_nsec()],
        ctime: [times.ctime(), times.ctime_nsec()],
        rest: [0; 6],
    };
    // SAFETY: the command reads one structure, which lives during the call.
    unsafe { command::swap_extents(file.as_raw_fd(), &mut argument) }.map(drop)
}

pub(super) fn move_of(target: &Target<'_>) -> nix::Result<()> {
    move_extent(target.file, &other::open(target)?, target)
}

pub(super) fn move_with(target: &Target<'_>) -> nix::Result<()> {
    move_extent(&other::open(target)?, target.file, target)
}

fn move_extent(file: &File, donor: &File, target: &Target<'_>) -> nix::Result<()> {
    // Not always a page: small filesystems have small blocks.
    let block = fstatvfs(file)?.block_size();
    let mut argument = MoveExtent {
        reserved: 0,
        donor: donor.as_raw_fd() as u32,
        start: target.offset / block,
        donor_start: target.offset / block,
        length: target.length / block,
        moved: 0,
    };
    // SAFETY: the command reads and writes one structure, which lives during
    // the call.
    unsafe { command::move_extent(file.as_raw_fd(), &mut argument) }.map(drop)
}

// The sizes are part of the commands' numbers.
const _: () = assert!(size_of::<ExchangeRange>() == 40);
const _: () = assert!(size_of::<SwapExtents>() == 192);
const _: () = assert!(size_of::<MoveExtent>() == 40);
