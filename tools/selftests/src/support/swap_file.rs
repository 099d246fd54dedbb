// SPDX-License-Identifier: GPL-2.0
//! Swapping to a file.

use std::{
    ffi::CString,
    fs::{self, File},
    io::Write,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::{command::output, flags};

/// A file that is swapped to; dropping it ends that.
#[derive(Debug)]
#[must_use = "dropping it ends swapping"]
pub struct SwapFile(CString);

impl SwapFile {
    /// Makes a file of `bytes` bytes and swaps to it.
    ///
    /// # Errors
    ///
    /// The filesystem or swapon(2) refuses.
    pub fn on(path: &Path, bytes: u64) -> Result<Self> {
        let mut file = File::create_new(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        // btrfs swaps only to what is written in place; others do not know the
        // flag.
        let _ = flags::add(&file, flags::NO_COPY_ON_WRITE);
        let zeros = vec![0; 1 << 20];
        for _ in 0..bytes >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        output("mkswap", &[path])?;
        let name = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the name is a string that lives during the call.
        Errno::result(unsafe { libc::swapon(name.as_ptr(), 0) }).context("swapon")?;
        Ok(Self(name))
    }
}

impl Drop for SwapFile {
    fn drop(&mut self) {
        // SAFETY: the name is a string that lives during the call.
        if let Err(errno) = Errno::result(unsafe { libc::swapoff(self.0.as_ptr()) }) {
            println!("swapoff: {errno}");
        }
    }
}
