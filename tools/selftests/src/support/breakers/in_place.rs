// SPDX-License-Identifier: GPL-2.0
//! A folder whose files are overwritten in place, also on btrfs.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::support::Filesystem;

mod command {
    // The kernel reads and writes an int, whatever the number says.
    nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);
}

/// `FS_NOCOW_FL` of linux/fs.h; files inherit it from their folder.
const NOCOW: libc::c_long = 0x0080_0000;

/// Makes it in `dir`.
pub(super) fn folder(dir: &Path) -> Result<PathBuf> {
    let path = dir.join("in-place");
    match fs::create_dir(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    if Filesystem::of(dir)? == Filesystem::Btrfs {
        let folder = File::open(&path)?;
        let mut flags = 0;
        // SAFETY: the command writes an int, for which `flags` has room.
        unsafe { command::get_flags(folder.as_raw_fd(), &mut flags) }.context("reading flags")?;
        flags |= NOCOW;
        // SAFETY: the command reads an int, which `flags` begins with.
        unsafe { command::set_flags(folder.as_raw_fd(), &flags) }.context("setting NOCOW")?;
    }
    Ok(path)
}
