// SPDX-License-Identifier: GPL-2.0
//! Attributes of files, as chattr(1) sets them.

use std::{fs::File, os::fd::AsRawFd};

/// Commands of linux/fs.h; the kernel reads and writes an int, whatever the
/// numbers say.
mod command {
    nix::ioctl_read!(get, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set, b'f', 2, libc::c_long);
}

/// `FS_NOCOW_FL` of linux/fs.h.
pub const NO_COPY_ON_WRITE: libc::c_long = 0x0080_0000;

/// Sets `flags` besides those that the file has.
///
/// # Errors
///
/// The ioctls' errno.
pub fn add(file: &File, flags: libc::c_long) -> nix::Result<()> {
    let mut now = 0;
    // SAFETY: the command writes at most one number, which lives during the call.
    unsafe { command::get(file.as_raw_fd(), &mut now) }?;
    now |= flags;
    // SAFETY: the command reads at most one number, which lives during the call.
    unsafe { command::set(file.as_raw_fd(), &now) }.map(drop)
}
