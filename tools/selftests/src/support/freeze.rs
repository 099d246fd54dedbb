// SPDX-License-Identifier: GPL-2.0
//! Freezing a filesystem, as fsfreeze(8) does.

use std::{fs::File, os::fd::AsRawFd, path::Path};

use anyhow::{Context, Result};

/// `FIFREEZE` and `FITHAW` of linux/fs.h.
mod command {
    nix::ioctl_readwrite!(freeze, b'X', 119, i32);
    nix::ioctl_readwrite!(thaw, b'X', 120, i32);
}

/// A frozen filesystem; dropping it thaws it.
#[derive(Debug)]
#[must_use = "dropping it thaws the filesystem"]
pub struct Frozen(Option<File>);

impl Frozen {
    /// Freezes the filesystem of `dir`.
    ///
    /// # Errors
    ///
    /// The ioctl's errno.
    pub fn freeze(dir: &Path) -> Result<Self> {
        let file = File::open(dir)?;
        // SAFETY: the command ignores its argument.
        unsafe { command::freeze(file.as_raw_fd(), std::ptr::null_mut()) }.context("FIFREEZE")?;
        Ok(Self(Some(file)))
    }

    /// Thaws it.
    ///
    /// # Errors
    ///
    /// The ioctl's errno.
    pub fn thaw(mut self) -> Result<()> {
        self.0
            .take()
            .map_or(Ok(()), |file| thaw(&file))
            .context("FITHAW")
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let _ = thaw(&file);
        }
    }
}

fn thaw(file: &File) -> nix::Result<()> {
    // SAFETY: the command ignores its argument.
    unsafe { command::thaw(file.as_raw_fd(), std::ptr::null_mut()) }.map(drop)
}
