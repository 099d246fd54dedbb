// SPDX-License-Identifier: GPL-2.0
//! A new filesystem on the disk that may be written over.

use std::{
    fs, io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    mount::{mount, umount, MsFlags},
};

use super::{command::output, proc::wait_for, Filesystem, Integrity};

/// `FS_SHUTDOWN_FLAGS_NOLOGFLUSH` of linux/fs.h.
const NO_LOG_FLUSH: u32 = 2;

/// `FS_IOC_SHUTDOWN` of linux/fs.h, whose number says that it writes.
mod command {
    nix::ioctl_read!(shut_down_raw, b'X', 125, u32);

    /// # Safety
    ///
    /// `fd` is open.
    pub unsafe fn shut_down(fd: i32, flags: &u32) -> nix::Result<i32> {
        let flags = std::ptr::from_ref(flags).cast_mut();
        // SAFETY: the kernel only reads.
        unsafe { shut_down_raw(fd, flags) }
    }
}

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
    options: &'static str,
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
        Self::with(disk, filesystem, layer, &[], "")
    }

    /// The same, with options of mkfs and of the mount.
    ///
    /// # Errors
    ///
    /// As [`Scratch::new`].
    pub fn with(
        disk: &Path,
        filesystem: Filesystem,
        layer: Layer,
        mkfs: &[&str],
        options: &'static str,
    ) -> Result<Self> {
        let dir = std::env::temp_dir().join("pinlease-scratch");
        // What a killed test left.
        let _ = umount(&dir);
        let integrity = match layer {
            Layer::Plain => None,
            Layer::Integrity => Some(Integrity::format(disk, size_of(filesystem))?),
        };
        let source = integrity.as_ref().map_or(disk, Integrity::path);
        let source = source.to_path_buf();
        format(filesystem, &source, mkfs)?;
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let scratch = Self {
            filesystem,
            dir,
            source,
            options,
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
        let options = Some(self.options);
        mount(Some(&self.source), &self.dir, name, flags, options)
    }

    /// Stops the filesystem as if power had been cut: what is not on the disk
    /// is lost.  It can only be unmounted then.
    ///
    /// # Errors
    ///
    /// The ioctl's errno.
    pub fn cut_power(&self) -> Result<()> {
        let dir = fs::File::open(&self.dir)?;
        // SAFETY: the command reads one number, which lives during the call.
        unsafe { command::shut_down(dir.as_raw_fd(), &NO_LOG_FLUSH) }.context("FS_IOC_SHUTDOWN")?;
        Ok(())
    }

    /// Unmounts it and mounts it again.
    ///
    /// # Errors
    ///
    /// It is busy, or cannot be mounted any more.
    pub fn cycle(&self) -> Result<()> {
        self.umount_soon()?;
        self.mount(MsFlags::empty()).context("mount")
    }

    /// Pins go away shortly after their last file descriptor is closed.
    fn umount_soon(&self) -> Result<()> {
        wait_for("umount", Duration::from_secs(20), || match self.umount() {
            Err(Errno::EBUSY) => Ok(false),
            other => Ok(other.map(|()| true)?),
        })?;
        Ok(())
    }

    /// Unmounts it, has the filesystem's own program look for damage, and
    /// mounts it again.
    ///
    /// # Errors
    ///
    /// It is busy, or damaged.
    pub fn check(&self) -> Result<()> {
        self.umount_soon()?;
        let source = self.source.to_str().context("name of the disk")?;
        let (program, arguments): (_, &[&str]) = match self.filesystem {
            Filesystem::Ext4 => ("e2fsck", &["-f", "-n"]),
            Filesystem::Xfs => ("xfs_repair", &["-n"]),
            Filesystem::Btrfs => ("btrfs", &["check", "--readonly"]),
        };
        output(program, &[arguments, &[source]].concat())?;
        self.mount(MsFlags::empty()).context("mount")
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

fn format(filesystem: Filesystem, device: &Path, options: &[&str]) -> Result<()> {
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
    output(program, &[arguments, options, &[device]].concat())?;
    Ok(())
}
