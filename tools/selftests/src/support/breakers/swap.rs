// SPDX-License-Identifier: GPL-2.0
//! swapon(2) on the leased file.

use std::{ffi::CString, fs::OpenOptions, os::unix::ffi::OsStrExt, path::Path};

use anyhow::{ensure, Context, Result};
use nix::errno::Errno;
use std::os::unix::fs::FileExt;

use super::{Target, PAGE};

/// Where `union swap_header` of linux/swap.h has what.
mod header {
    pub const VERSION: u64 = 1024;
    pub const LAST_PAGE: u64 = 1028;
    pub const MAGIC: &[u8] = b"SWAPSPACE2";
    pub const MAGIC_AT: u64 = super::PAGE - MAGIC.len() as u64;
}

/// Writes the header; every page must have its block already.
pub(super) fn make(path: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let pages = file.metadata()?.len() / PAGE;
    ensure!(pages > 1, "too small for a swap file");
    let word = |value: u32| value.to_ne_bytes();
    file.write_all_at(&word(1), header::VERSION)?;
    file.write_all_at(&word(pages as u32 - 1), header::LAST_PAGE)?;
    file.write_all_at(&word(0), header::LAST_PAGE + 4)?;
    file.write_all_at(header::MAGIC, header::MAGIC_AT)?;
    file.sync_all().context("writing the header")
}

/// Swaps on, and off again.
pub(super) fn on(target: &Target<'_>) -> nix::Result<()> {
    let path = CString::new(target.path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the path ends with 0 and lives during the call.
    Errno::result(unsafe { libc::swapon(path.as_ptr(), 0) })?;
    // SAFETY: as above.
    Errno::result(unsafe { libc::swapoff(path.as_ptr()) }).map(drop)
}
