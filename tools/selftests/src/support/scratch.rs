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

use super::{
    command::output, mapper::MapperDevice, proc::wait_for, protected_disk::ProtectedDisk,
    raid::Raid, Filesystem, Integrity,
};

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
    /// dm-crypt with Adiantum, which reads what it encrypts twice, so that a
    /// torn write can be read, and is garbage.
    Crypt,
    /// Two legs, which are both written from the same pages.
    Mirror,
    /// Three legs, of which one has the parity of the others.
    Parity,
    /// Nothing, but another disk, which checks checksums.
    Protected,
}

/// The layer itself.
#[derive(Debug)]
enum Below {
    Plain,
    Integrity(Integrity),
    Crypt(MapperDevice),
    Raid(Raid),
    Protected(ProtectedDisk),
}

impl Below {
    fn new(disk: &Path, filesystem: Filesystem, layer: Layer) -> Result<Self> {
        Ok(match layer {
            Layer::Plain => Self::Plain,
            Layer::Integrity => Self::Integrity(Integrity::format(disk, size_of(filesystem))?),
            Layer::Crypt => Self::Crypt(crypt(disk)?),
            Layer::Mirror => Self::Raid(Raid::mirror(disk)?),
            Layer::Parity => Self::Raid(Raid::parity(disk)?),
            Layer::Protected => Self::Protected(ProtectedDisk::new()?),
        })
    }

    /// The disk for the filesystem, if it is another one.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Plain => None,
            Self::Integrity(integrity) => Some(integrity.path()),
            Self::Crypt(crypt) => Some(crypt.path()),
            Self::Raid(raid) => Some(raid.path()),
            Self::Protected(disk) => Some(disk.path()),
        }
    }
}

/// Encrypts with a key that is no secret.
fn crypt(disk: &Path) -> Result<MapperDevice> {
    let target = format!(
        "crypt capi:adiantum(xchacha12,aes)-plain64 {} 0 {} 0",
        "5a".repeat(32),
        disk.display()
    );
    MapperDevice::create("pinlease-crypt", SMALL / 512, &target)
}

/// A mounted filesystem; dropping it unmounts it.
#[derive(Debug)]
pub struct Scratch {
    filesystem: Filesystem,
    dir: PathBuf,
    source: PathBuf,
    options: &'static str,
    // Goes after the filesystem is unmounted.
    below: Below,
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
        // One that needs no disk may be mounted beside another.
        let name = match layer {
            Layer::Protected => "pinlease-protected",
            _ => "pinlease-scratch",
        };
        let dir = std::env::temp_dir().join(name);
        // What a killed test left.
        let _ = umount(&dir);
        let below = Below::new(disk, filesystem, layer)?;
        let source = below.path().unwrap_or(disk).to_path_buf();
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
            below,
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

    /// The filesystem.
    pub fn filesystem(&self) -> Filesystem {
        self.filesystem
    }

    /// Errors that the layer below it has found, or finds now: sectors whose
    /// checksum or copy is another. (A write that was refused fails fsync.)
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn layer_errors(&self) -> Result<u64> {
        match &self.below {
            Below::Plain | Below::Crypt(_) | Below::Protected(_) => Ok(0),
            Below::Integrity(integrity) => integrity.mismatches(),
            Below::Raid(raid) => raid.mismatches(),
        }
    }

    /// Mounts it, or changes its flags when they have `MS_REMOUNT`.
    ///
    /// # Errors
    ///
    /// mount(2)'s errno.
    pub fn mount(&self, flags: MsFlags) -> nix::Result<()> {
        self.mount_with(self.options, flags)
    }

    /// The same with other options.
    ///
    /// # Errors
    ///
    /// mount(2)'s errno.
    pub fn mount_with(&self, options: &str, flags: MsFlags) -> nix::Result<()> {
        let name = Some(self.filesystem.name());
        mount(Some(&self.source), &self.dir, name, flags, Some(options))
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

    /// Unmounts it: pins go away shortly after their last file descriptor is closed.
    ///
    /// # Errors
    ///
    /// It stays busy, or umount(2)'s.
    pub fn umount_soon(&self) -> Result<()> {
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
        let (program, arguments) = self.filesystem.checker();
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

/// Bytes that are enough for each.
pub const SMALL: u64 = 128 << 20;

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
            &[
                "-q",
                "-F",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                "-O",
                "encrypt",
            ],
        ),
        // However small.
        Filesystem::Xfs => ("mkfs.xfs", &["-q", "-f", "--unsupported"]),
        Filesystem::Btrfs => ("mkfs.btrfs", &["-q", "-f"]),
    };
    output(program, &[arguments, options, &[device]].concat())?;
    Ok(())
}
