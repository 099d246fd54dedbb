// SPDX-License-Identifier: GPL-2.0
//! A disk with protection information (T10-PI) on both ways: scsi_debug with
//! DIF and DIX.  It compares each sector that it is given with the checksum
//! that the kernel computed beforehand, and refuses it when they differ: fsync
//! fails.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context, Result};

use super::{command::output, proc::wait_for};

const MODULE: &str = "scsi_debug";

/// Mebibytes, which are memory of the guest.
const SIZE: &str = "dev_size_mb=128";

/// The disk; dropping it removes it.
#[derive(Debug)]
pub struct ProtectedDisk {
    path: PathBuf,
}

impl ProtectedDisk {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// The kernel has no such module, or no support for such disks.
    pub fn new() -> Result<Self> {
        // What a killed test left.
        remove();
        output("modprobe", &["sd_mod"])?;
        output("modprobe", &[MODULE, SIZE, "dif=1", "dix=1", "delay=0"])?;
        let mut disk = Self {
            path: PathBuf::new(),
        };
        wait_for("the disk is there", Duration::from_secs(20), || {
            disk.path = match find()? {
                Some(name) => Path::new("/dev").join(name),
                None => return Ok(false),
            };
            Ok(disk.path.exists())
        })?;
        let name = disk.path.file_name().context("name of the disk")?;
        let folder = Path::new("/sys/block").join(name).join("integrity");
        let format = fs::read_to_string(folder.join("format")).context("protected disk")?;
        ensure!(
            format.trim() == "T10-DIF-TYPE1-CRC",
            "the disk has protection '{}'",
            format.trim()
        );
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The name of the disk, when the kernel has found it.
fn find() -> Result<Option<String>> {
    for entry in fs::read_dir("/sys/block")? {
        let entry = entry?;
        let model = fs::read_to_string(entry.path().join("device/model"));
        if model.is_ok_and(|model| model.trim() == MODULE) {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

impl Drop for ProtectedDisk {
    fn drop(&mut self) {
        remove();
    }
}

fn remove() {
    let _ = output("modprobe", &["-r", MODULE]);
}
