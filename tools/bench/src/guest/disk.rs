// SPDX-License-Identifier: GPL-2.0
//! null_blk: disks that cost next to nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    mount::{mount, umount, MsFlags},
};
use selftests::support::{command::output, proc::wait_for, Filesystem};

const CONFIG: &str = "/sys/kernel/config";

/// A disk of null_blk, whose contents are in memory; dropping it removes it.
#[derive(Debug)]
pub(super) struct NullDisk {
    config: PathBuf,
    path: PathBuf,
}

impl NullDisk {
    /// One of so many MiB, with a queue for each of `queues` processors.
    pub(super) fn new(name: &str, megabytes: u64, queues: u32) -> Result<Self> {
        output("modprobe", &["null_blk", "nr_devices=0"])?;
        match mount(
            Some("configfs"),
            CONFIG,
            Some("configfs"),
            MsFlags::empty(),
            None::<&str>,
        ) {
            Ok(()) | Err(Errno::EBUSY) => (),
            Err(error) => return Err(error).context("mounting configfs"),
        }
        let config = Path::new(CONFIG).join("nullb").join(name);
        fs::create_dir(&config).with_context(|| config.display().to_string())?;
        let disk = Self {
            config,
            path: Path::new("/dev").join(name),
        };
        for (attribute, value) in [
            ("size", megabytes.to_string()),
            ("blocksize", "4096".into()),
            ("memory_backed", "1".into()),
            ("submit_queues", queues.to_string()),
            // Requests end where they are submitted.
            ("irqmode", "0".into()),
            ("power", "1".into()),
        ] {
            fs::write(disk.config.join(attribute), value).context(attribute)?;
        }
        wait_for("null_blk's disk", Duration::from_secs(20), || {
            Ok(disk.path.exists())
        })?;
        Ok(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for NullDisk {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.config) {
            eprintln!("{} stays: {error}", self.config.display());
        }
    }
}

/// A filesystem on one; dropping it unmounts it.
#[derive(Debug)]
pub(super) struct Volume {
    dir: PathBuf,
    // Goes after the filesystem.
    _disk: NullDisk,
}

impl Volume {
    /// Formats and mounts it.
    pub(super) fn new(disk: NullDisk, filesystem: Filesystem) -> Result<Self> {
        let name = disk.path.file_name().context("no name")?;
        let dir = Path::new("/run").join(name);
        let device = disk.path.to_str().context("name of the disk")?;
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
        fs::create_dir_all(&dir)?;
        let flags = MsFlags::MS_NOATIME;
        mount(
            Some(device),
            &dir,
            Some(filesystem.name()),
            flags,
            None::<&str>,
        )
        .context("mount")?;
        Ok(Self { dir, _disk: disk })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Pins go away shortly after their last file descriptor is closed.
        for _ in 0..100 {
            if umount(&self.dir) != Err(Errno::EBUSY) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        eprintln!("{} stays mounted: busy", self.dir.display());
    }
}
