// SPDX-License-Identifier: GPL-2.0
//! A disk that can fail: by the device mapper, over a part of another disk.

use std::{ops::Range, path::Path};

use anyhow::Result;

use super::{mapper::MapperDevice, scratch::SMALL};

/// Name of the only device of this kind.
const NAME: &str = "pinlease-faulty";

const SECTOR: u64 = 512;

/// Sectors of it.
const SECTORS: u64 = SMALL / SECTOR;

/// A disk that works, until it is told otherwise; dropping it removes it.
#[derive(Debug)]
pub struct FaultyDisk {
    device: MapperDevice,
    below: String,
}

impl FaultyDisk {
    /// The first `SMALL` bytes of `disk`.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn over(disk: &Path) -> Result<Self> {
        let below = disk.display().to_string();
        let device = MapperDevice::create(NAME, SECTORS, &format!("linear {below} 0"))?;
        Ok(Self { device, below })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.device.path()
    }

    /// These bytes can be neither read nor written any more.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn fail_blocks(&self, bytes: &[Range<u64>]) -> Result<()> {
        let mut failing: Vec<Range<u64>> = bytes
            .iter()
            .map(|bytes| bytes.start / SECTOR..bytes.end.div_ceil(SECTOR))
            .collect();
        failing.sort_by_key(|sectors| sectors.start);
        let (mut table, mut done) = (String::new(), 0);
        for sectors in failing {
            let sectors = sectors.start.max(done)..sectors.end;
            if sectors.is_empty() {
                continue;
            }
            if done < sectors.start {
                table += &self.works(done..sectors.start);
            }
            let Range { start, end } = sectors;
            let length = end - start;
            // Not dm-flakey, which also fails the flush of a cache.
            table += &format!("{start} {length} error\n");
            done = end;
        }
        if done < SECTORS {
            table += &self.works(done..SECTORS);
        }
        self.device.replace(&table)
    }

    /// It is gone: nothing can be read or written any more.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn fail(&self) -> Result<()> {
        self.device.replace(&format!("0 {SECTORS} error"))
    }

    /// It works again.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn heal(&self) -> Result<()> {
        self.device.replace(&self.works(0..SECTORS))
    }

    fn works(&self, sectors: Range<u64>) -> String {
        let Range { start, end } = sectors;
        format!("{start} {} linear {} {start}\n", end - start, self.below)
    }
}
