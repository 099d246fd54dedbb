// SPDX-License-Identifier: GPL-2.0
//! Clones of files: extents that two files share.

use std::{fs::File, os::fd::AsRawFd};

use nix::errno::Errno;

/// Makes `to` share all of `from`: `FICLONE`.
///
/// # Errors
///
/// The ioctl's errno.
pub fn clone_file(from: &File, to: &File) -> nix::Result<()> {
    // SAFETY: the command's argument is a file descriptor.
    let result = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    Errno::result(result).map(drop)
}

/// Makes the beginning of `to` share `length` bytes of `from` from `offset` on:
/// `FICLONERANGE`.
///
/// # Errors
///
/// The ioctl's errno.
pub fn clone_range(
    from: &File,
    offset: u64,
    length: u64,
    to: &File,
    to_offset: u64,
) -> nix::Result<()> {
    let argument = libc::file_clone_range {
        src_fd: from.as_raw_fd().into(),
        src_offset: offset,
        src_length: length,
        dest_offset: to_offset,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    let result = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONERANGE, &argument) };
    Errno::result(result).map(drop)
}
