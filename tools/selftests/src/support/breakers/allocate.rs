// SPDX-License-Identifier: GPL-2.0
//! fallocate(2) in its destructive modes.

use std::os::fd::AsRawFd;

use nix::errno::Errno;

use super::Target;

/// `FALLOC_FL_WRITE_ZEROES` of linux/falloc.h, newer than libc's.
const FALLOC_FL_WRITE_ZEROES: i32 = 0x80;

/// The mode that punches.
pub(super) const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;

pub(super) fn punch(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, PUNCH)
}

pub(super) fn zero(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, libc::FALLOC_FL_ZERO_RANGE)
}

pub(super) fn collapse(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, libc::FALLOC_FL_COLLAPSE_RANGE)
}

pub(super) fn insert(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, libc::FALLOC_FL_INSERT_RANGE)
}

pub(super) fn unshare(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, libc::FALLOC_FL_UNSHARE_RANGE)
}

pub(super) fn write_zeroes(target: &Target<'_>) -> nix::Result<()> {
    fallocate(target, FALLOC_FL_WRITE_ZEROES)
}

fn fallocate(target: &Target<'_>, mode: i32) -> nix::Result<()> {
    let (offset, length) = (target.offset as i64, target.length as i64);
    // SAFETY: the call takes no pointer.
    let result = unsafe { libc::fallocate(target.file.as_raw_fd(), mode, offset, length) };
    Errno::result(result).map(drop)
}
