// SPDX-License-Identifier: GPL-2.0
//! null_blk: disks that cost next to nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    mount::{mount, MsFlags},
};
use selftests::support::{command::output, proc::wait_for, Filesystem, Layer, Scratch};

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

/// A filesystem on such a disk; reading changes nothing of it.
pub(super) fn volume(disk: &NullDisk, filesystem: Filesystem) -> Result<Scratch> {
    let scratch = Scratch::new(&disk.path, filesystem, Layer::Plain)?;
    scratch
        .mount(MsFlags::MS_REMOUNT | MsFlags::MS_NOATIME)
        .context("remount")?;
    Ok(scratch)
}
