// SPDX-License-Identifier: GPL-2.0
//! Which leases are leases of a file that the user names.
//!
//! The module tells the number of the superblock's device and the inode's.
//! stat(2) tells the same on most filesystems, but on btrfs each subvolume has
//! a device number of its own, and inode numbers repeat in them.  So the
//! superblock is looked up by the mount; and where stat(2) knows another
//! device, the path that the module tells must lead to the same subvolume.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{ensure, Context, Result};
use nix::{fcntl::OFlag, sys::stat::makedev};
use pinlease::LeaseInfo;

use crate::mount::Mount;

/// A regular file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileId {
    /// As the module tells it.
    superblock: u64,
    /// As stat(2) does.
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that `path` leads to; reading it need not be allowed.
    pub fn of(path: &Path) -> Result<Self> {
        Self::look_up(path).with_context(|| path.display().to_string())
    }

    fn look_up(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_PATH.bits())
            .open(path)?;
        let stat = file.metadata()?;
        ensure!(
            stat.is_file(),
            "not a regular file, and only those are leased"
        );
        Ok(Self {
            superblock: Mount::of(&file)?.map_or(stat.dev(), |mount| mount.device),
            device: stat.dev(),
            inode: stat.ino(),
        })
    }

    /// Whether the lease is one of this file, as far as can be told.
    pub fn is_leased_by(&self, lease: &LeaseInfo) -> bool {
        self.superblock == lease.device && self.inode == lease.inode && !self.is_elsewhere(lease)
    }

    /// Whether a tracepoint that tells of this superblock and inode may be about it: of other subvolumes
    /// it cannot be told.
    pub fn is_traced_as(&self, major: u64, minor: u64, inode: u64) -> bool {
        self.superblock == makedev(major, minor) && self.inode == inode
    }

    /// Whether the lease is of a file with the same number in another
    /// subvolume.  One that was deleted, or that cannot be reached from here,
    /// cannot be told from this one.
    fn is_elsewhere(&self, lease: &LeaseInfo) -> bool {
        if self.device == self.superblock {
            return false;
        }
        let Some(Ok(other)) = lease.path.as_ref().map(fs::metadata) else {
            return false;
        };
        other.ino() == self.inode && other.dev() != self.device
    }
}

#[cfg(test)]
mod tests {
    use pinlease::uapi;

    use super::*;

    fn lease(device: u64, inode: u64, path: &str) -> LeaseInfo {
        let path = format!("{path}\0");
        let raw = uapi::pinlease_next {
            device,
            inode,
            path_size: path.len().try_into().unwrap(),
            ..Default::default()
        };
        LeaseInfo::from_raw(&raw, path.as_bytes())
    }

    #[test]
    fn by_superblock_and_inode() {
        let file = FileId {
            superblock: 5,
            device: 5,
            inode: 7,
        };
        assert!(file.is_leased_by(&lease(5, 7, "/gone")));
        assert!(!file.is_leased_by(&lease(5, 8, "/gone")));
        assert!(!file.is_leased_by(&lease(6, 7, "/gone")));
    }

    #[test]
    fn another_subvolume() {
        // A file that is surely there stands for the one in a subvolume.
        let path = std::env::current_exe().unwrap();
        let stat = fs::metadata(&path).unwrap();
        let here = FileId {
            superblock: 5,
            device: stat.dev(),
            inode: stat.ino(),
        };
        let elsewhere = FileId {
            device: stat.dev() + 1,
            ..here
        };
        let leased = lease(5, stat.ino(), path.to_str().unwrap());
        assert!(here.is_leased_by(&leased));
        assert!(!elsewhere.is_leased_by(&leased));
        assert!(elsewhere.is_leased_by(&lease(5, stat.ino(), "/gone (deleted)")));
    }

    #[test]
    fn real_files() {
        let exe = std::env::current_exe().unwrap();
        let id = FileId::of(&exe).unwrap();
        let stat = fs::metadata(&exe).unwrap();
        assert_eq!((id.device, id.inode), (stat.dev(), stat.ino()));
        let error = format!("{:#}", FileId::of(Path::new("/proc")).unwrap_err());
        assert!(error.starts_with("/proc: not a regular file"), "{error}");
        let error = format!("{:#}", FileId::of(Path::new("/gone")).unwrap_err());
        assert!(error.starts_with("/gone: No such file"), "{error}");
    }
}
