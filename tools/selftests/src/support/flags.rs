// SPDX-License-Identifier: GPL-2.0
//! What chattr(1) sets: `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS`.

use std::{fs::File, os::fd::AsRawFd};

use anyhow::{Context, Result};

mod command {
    // The kernel reads and writes an int, whatever the number says.
    nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);
}

/// `FS_COMPR_FL` of linux/fs.h.
pub const COMPRESS: libc::c_long = 0x0004;
/// `FS_NODUMP_FL`.
pub const NO_DUMP: libc::c_long = 0x0040;
/// `FS_JOURNAL_DATA_FL`.
pub const JOURNAL_DATA: libc::c_long = 0x4000;
/// `FS_NOCOW_FL`.
pub const NO_COPY_ON_WRITE: libc::c_long = 0x0080_0000;

/// The flags of `file`.
///
/// # Errors
///
/// The filesystem has none.
pub fn get(file: &File) -> Result<libc::c_long> {
    let mut flags = 0;
    // SAFETY: the command writes an int, for which `flags` has room.
    unsafe { command::get_flags(file.as_raw_fd(), &mut flags) }.context("reading flags")?;
    Ok(flags)
}

/// Sets all of them.
///
/// # Errors
///
/// The ioctl's errno.
pub fn set(file: &File, flags: libc::c_long) -> nix::Result<()> {
    // SAFETY: the command reads an int, which `flags` begins with.
    unsafe { command::set_flags(file.as_raw_fd(), &flags) }.map(drop)
}

/// Sets one more.
///
/// # Errors
///
/// As [`get`] and [`set`].
pub fn add(file: &File, flag: libc::c_long) -> Result<()> {
    set(file, get(file)? | flag).context("setting a flag")
}
