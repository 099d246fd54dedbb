// SPDX-License-Identifier: GPL-2.0
//! dm-integrity in direct mode: a checksum for each sector, computed from the
//! very pages that go to the disk, so that a page which changes meanwhile gets
//! a wrong one and cannot be read any more (EILSEQ).

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};

use super::mapper::{self, MapperDevice};

/// Name of the only device of this kind.
const NAME: &str = "pinlease-integrity";

/// Bytes at the beginning of the disk where the superblock is.
const SUPERBLOCK: usize = 64 << 10;

/// Fields of the target's status.
const MISMATCHES: usize = 0;
const SECTORS: usize = 1;

/// A checksumming device over a whole disk; dropping it removes it.
#[derive(Debug)]
pub struct Integrity(MapperDevice);

impl Integrity {
    /// Formats `disk` and makes a device with at most `bytes` bytes, all of
    /// them zero and readable.
    ///
    /// # Errors
    ///
    /// The disk or the device mapper refuses.
    pub fn format(disk: &Path, bytes: u64) -> Result<Self> {
        // A device that a killed test left.
        mapper::remove(NAME);
        let mut file = OpenOptions::new()
            .write(true)
            .open(disk)
            .context("opening the disk")?;
        file.write_all(&[0; SUPERBLOCK])?;
        file.sync_all().context("wiping the superblock")?;

        // Loading an unformatted disk formats it; then it tells its size.
        let formatted = Self::create(disk, 8)?;
        let sectors = formatted.number(SECTORS)?.min(bytes / 512);
        drop(formatted);
        let device = Self(Self::create(disk, sectors)?);
        device.write_zeros(sectors)?;
        Ok(device)
    }

    fn create(disk: &Path, sectors: u64) -> Result<MapperDevice> {
        let target = format!("integrity {} 0 - D 1 internal_hash:sha256", disk.display());
        MapperDevice::create(NAME, sectors, &target)
    }

    /// Sectors have no checksum before they are written.
    fn write_zeros(&self, sectors: u64) -> Result<()> {
        let zeros = vec![0; 1 << 20];
        let mut file: File = OpenOptions::new()
            .write(true)
            .open(self.path())
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
        self.0.path()
    }

    /// Checksum errors since it was made.
    ///
    /// # Errors
    ///
    /// The device mapper does not tell.
    pub fn mismatches(&self) -> Result<u64> {
        self.0.number(MISMATCHES)
    }
}
