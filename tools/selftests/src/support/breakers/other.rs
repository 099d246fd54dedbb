// SPDX-License-Identifier: GPL-2.0
//! The second file, for operations on two: beside the leased one, with the
//! same contents.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Target;
use crate::support::expect::from_io;

/// Where it is.
pub fn path(of: &Path) -> PathBuf {
    of.with_extension("other")
}

/// Makes it: a copy that shares nothing.
pub(super) fn make(of: &Path) -> Result<()> {
    let contents = fs::read(of).context("reading the file")?;
    fs::write(path(of), contents).context("writing the other file")
}

/// Opens it.
pub(super) fn open(target: &Target<'_>) -> nix::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(target.flags);
    from_io(options.open(path(target.path)))
}

/// Removes it.
pub fn remove(of: &Path) {
    // Most operations need none.
    let _ = fs::remove_file(path(of));
}
