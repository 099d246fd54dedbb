// SPDX-License-Identifier: GPL-2.0
//! A disk that can fail: by the device mapper, over a part of another disk.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::command::output;

/// Name of the only device of this kind.
const NAME: &str = "pinlease-faulty";

const SECTOR: u64 = 512;

/// A disk that works, until it is told otherwise; dropping it removes it.
#[derive(Debug)]
pub struct FaultyDisk {
    path: PathBuf,
    below: String,
    sectors: u64,
}

impl FaultyDisk {
    /// The first `bytes` bytes of `disk`.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn over(disk: &Path, bytes: u64) -> Result<Self> {
        // What a killed test left.
        remove();
        let mut faulty = Self {
            path: PathBuf::new(),
            below: disk.display().to_string(),
            sectors: bytes / SECTOR,
        };
        let table = faulty.works(0..faulty.sectors);
        output("dmsetup", &["create", NAME, "--table", &table])?;
        // The guest has no udev that would make the node in /dev/mapper.
        let fields = ["info", "-c", "--noheadings", "-o", "blkdevname", NAME];
        faulty.path = Path::new("/dev").join(output("dmsetup", &fields)?.trim());
        Ok(faulty)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
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
        if done < self.sectors {
            table += &self.works(done..self.sectors);
        }
        replace(&table)
    }

    /// It is gone: nothing can be read or written any more.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn fail(&self) -> Result<()> {
        replace(&format!("0 {} error", self.sectors))
    }

    /// It works again.
    ///
    /// # Errors
    ///
    /// The device mapper refuses.
    pub fn heal(&self) -> Result<()> {
        replace(&self.works(0..self.sectors))
    }

    fn works(&self, sectors: Range<u64>) -> String {
        let Range { start, end } = sectors;
        format!("{start} {} linear {} {start}\n", end - start, self.below)
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        remove();
    }
}

/// Removes the device, if it is there.
fn remove() {
    let _ = output("dmsetup", &["remove", "--retry", NAME]);
}

/// Gives the device another table.
fn replace(table: &str) -> Result<()> {
    let file = std::env::temp_dir().join("pinlease-faulty-table");
    fs::write(&file, table).context("writing the table")?;
    output("dmsetup", &["load", NAME, &file.to_string_lossy()])?;
    // A filesystem is not frozen for that: it could not write any more.
    output("dmsetup", &["suspend", "--nolockfs", NAME])?;
    output("dmsetup", &["resume", NAME])?;
    Ok(())
}
