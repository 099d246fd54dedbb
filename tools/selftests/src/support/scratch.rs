// SPDX-License-Identifier: GPL-2.0
//! A new filesystem on the disk that may be written over.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    mount::{mount, umount, MsFlags},
};

use super::{command::output, Filesystem, Integrity};

/// What lies between the filesystem and the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layer {
    /// Nothing.
    Plain,
    /// dm-integrity, so that a torn write shows.
    Integrity,
}

/// A mounted filesystem; dropping it unmounts it.
#[derive(Debug)]
pub struct Scratch {
    filesystem: Filesystem,
    dir: PathBuf,
    source: PathBuf,
    // Goes after the filesystem is unmounted.
    integrity: Option<Integrity>,
}

impl Scratch {
    /// Makes and mounts a filesystem on `disk`.
    ///
    /// # Errors
    ///
    /// A program is missing ([`Skip`](crate::harness::Skip)) or fails.
    pub fn new(disk: &Path, filesystem: Filesystem, layer: Layer) -> Result<Self> {
        let dir = std::env::temp_dir().join("pinlease-scratch");
        // What a killed test left.
        let _ = umount(&dir);
        let integrity = match layer {
            Layer::Plain => None,
            Layer::Integrity => Some(Integrity::format(disk, size_of(filesystem))?),
        };
        let source = integrity.as_ref().map_or(disk, Integrity::path);
        let source = source.to_path_buf();
        format(filesystem, &source)?;
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let scratch = Self {
            filesystem,
            dir,
            source,
            integrity,
        };
        scratch.mount(MsFlags::empty()).context("mount")?;
        Ok(scratch)
    }

    /// Where it is mounted.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The disk under the filesystem.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The checksumming device, if there is one.
    pub fn integrity(&self) -> Option<&Integrity> {
        self.integrity.as_ref()
    }

    /// Mounts it, or changes its flags when they have `MS_REMOUNT`.
    ///
    /// # Errors
    ///
    /// mount(2)'s errno.
    pub fn mount(&self, flags: MsFlags) -> nix::Result<()> {
        let name = Some(self.filesystem.name());
        mount(Some(&self.source), &self.dir, name, flags, None::<&str>)
    }

    /// Unmounts it.
    ///
    /// # Errors
    ///
    /// umount(2)'s errno.
    pub fn umount(&self) -> nix::Result<()> {
        umount(&self.dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Pins go away shortly after their last file descriptor is closed.
        for _ in 0..100 {
            if self.umount() != Err(Errno::EBUSY) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        eprintln!("{} stays mounted: busy", self.dir.display());
    }
}

/// Bytes that are enough: every one of them is written beforehand.
fn size_of(filesystem: Filesystem) -> u64 {
    match filesystem {
        Filesystem::Ext4 => 96 << 20,
        Filesystem::Xfs => 304 << 20,
        Filesystem::Btrfs => 256 << 20,
    }
}

fn format(filesystem: Filesystem, device: &Path) -> Result<()> {
    let device = device.to_str().context("name of the disk")?;
    let (program, arguments): (_, &[&str]) = match filesystem {
        // Nothing that is written later, in the background.
        Filesystem::Ext4 => (
            "mkfs.ext4",
            &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
        ),
        Filesystem::Xfs => ("mkfs.xfs", &["-q", "-f"]),
        Filesystem::Btrfs => ("mkfs.btrfs", &["-q", "-f"]),
    };
    output(program, &[arguments, &[device]].concat())?;
    Ok(())
}
