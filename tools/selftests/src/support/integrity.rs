// SPDX-License-Identifier: GPL-2.0
//! dm-integrity in direct mode: a checksum for each sector, computed from the
//! very pages that go to the disk, so that a page which changes meanwhile gets
//! a wrong one and cannot be read any more (EILSEQ).

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::command::output;

/// Name of the only device of this kind.
const NAME: &str = "pinlease-integrity";

/// Bytes at the beginning of the disk where the superblock is.
const SUPERBLOCK: usize = 64 << 10;

/// A checksumming device over a whole disk; dropping it removes it.
#[derive(Debug)]
pub struct Integrity {
    path: PathBuf,
}

impl Integrity {
    /// Formats `disk` and makes a device with at most `bytes` bytes, all of
    /// them zero and readable.
    ///
    /// # Errors
    ///
    /// The disk or the device mapper refuses.
    pub fn format(disk: &Path, bytes: u64) -> Result<Self> {
        // A device that a killed test left.
        remove();
        let mut file = OpenOptions::new()
            .write(true)
            .open(disk)
            .context("opening the disk")?;
        file.write_all(&[0; SUPERBLOCK])?;
        file.sync_all().context("wiping the superblock")?;

        // Loading an unformatted disk formats it; then it tells its size.
        let formatted = Self::create(disk, 8)?;
        let sectors = status(1)?.min(bytes / 512);
        drop(formatted);
        let device = Self::create(disk, sectors)?;
        device.write_zeros(sectors)?;
        Ok(device)
    }

    fn create(disk: &Path, sectors: u64) -> Result<Self> {
        let table = format!(
            "0 {sectors} integrity {} 0 - D 1 internal_hash:crc32c",
            disk.display()
        );
        output("dmsetup", &["create", NAME, "--table", &table])?;
        // From here on it is removed, whatever happens.
        let mut device = Self {
            path: PathBuf::new(),
        };
        // The guest has no udev that would make the node in /dev/mapper.
        let fields = ["info", "-c", "--noheadings", "-o", "blkdevname", NAME];
        device.path = Path::new("/dev").join(output("dmsetup", &fields)?.trim());
        Ok(device)
    }

    /// Sectors have no checksum before they are written.
    fn write_zeros(&self, sectors: u64) -> Result<()> {
        let zeros = vec![0; 1 << 20];
        let mut file: File = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .context("opening the device")?;
        let mut left = sectors * 512;
        while left > 0 {
            let count = left.min(zeros.len() as u64);
            file.write_all(&zeros[..count as usize])?;
            left -= count;
        }
        file.sync_all().context("writing zeros")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checksum errors since it was made.
    ///
    /// # Errors
    ///
    /// The device mapper does not tell.
    pub fn mismatches(&self) -> Result<u64> {
        status(0)
    }
}

impl Drop for Integrity {
    fn drop(&mut self) {
        remove();
    }
}

/// Removes the device, if it is there.
fn remove() {
    let _ = output("dmsetup", &["remove", "--retry", NAME]);
}

/// Field `index` of the target's status: mismatches, provided sectors, ….
fn status(index: usize) -> Result<u64> {
    let line = output("dmsetup", &["status", NAME])?;
    let field = line.split_whitespace().nth(3 + index);
    let field = field.with_context(|| format!("short status '{line}'"))?;
    field.parse().with_context(|| format!("status '{line}'"))
}
