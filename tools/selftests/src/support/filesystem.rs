// SPDX-License-Identifier: GPL-2.0
//! The filesystems that are tested.

use std::{fmt, path::Path};

use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use nix::sys::statfs::{statfs, BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC};
use serde::{Deserialize, Serialize};

/// A filesystem that is tested.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Filesystem {
    /// ext4, data=ordered.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
}

impl Filesystem {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The filesystem of `path`.
    ///
    /// # Errors
    ///
    /// There is no such path, or it is on another filesystem.
    pub fn of(path: &Path) -> Result<Self> {
        let magic = statfs(path)
            .with_context(|| format!("filesystem of {}", path.display()))?
            .filesystem_type();
        Ok(match magic {
            EXT4_SUPER_MAGIC => Self::Ext4,
            XFS_SUPER_MAGIC => Self::Xfs,
            BTRFS_SUPER_MAGIC => Self::Btrfs,
            other => bail!("{} is on an unknown filesystem: {other:?}", path.display()),
        })
    }

    /// Its own checker, with the arguments that make it change nothing; the disk
    /// follows.
    pub fn checker(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Ext4 => ("e2fsck", &["-f", "-n"]),
            Self::Xfs => ("xfs_repair", &["-n"]),
            Self::Btrfs => ("btrfs", &["check", "--readonly"]),
        }
    }

    /// As mount(8) knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }
}

impl fmt::Display for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
