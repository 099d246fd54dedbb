// SPDX-License-Identifier: GPL-2.0
//! md's RAID by the target `raid` of the device mapper, which is the same code.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::{
    command::output,
    mapper::{self, MapperDevice},
    proc::wait_for,
    scratch::SMALL,
};

const NAME: &str = "pinlease-raid";

/// Bytes of a leg, and of what it keeps about itself.  An array that keeps
/// nothing accepts no write after `check`.
const METADATA: u64 = 4 << 20;

/// Fields of the target's status: what it does, and what `check` found.
const ACTION: usize = 4;
const MISMATCHES: usize = 5;

/// An array whose legs are parts of one disk; dropping it removes it.
#[derive(Debug)]
pub struct Raid {
    // Goes before its parts.
    array: MapperDevice,
    _parts: Vec<MapperDevice>,
}

impl Raid {
    /// Two legs with the same contents (`raid1`).
    ///
    /// # Errors
    ///
    /// The disk is too small, or the device mapper refuses.
    pub fn mirror(disk: &Path) -> Result<Self> {
        Self::create(disk, "raid1 2 0 nosync", 2, SMALL, SMALL)
    }

    /// Three legs of which one has the parity (`raid5`).
    ///
    /// # Errors
    ///
    /// As [`Raid::mirror`].
    pub fn parity(disk: &Path) -> Result<Self> {
        Self::create(disk, "raid5_ls 2 64 nosync", 3, SMALL / 2, SMALL)
    }

    fn create(disk: &Path, kind: &str, legs: u64, leg: u64, bytes: u64) -> Result<Self> {
        // What a killed test left uses its legs.
        mapper::remove(NAME);
        let path = disk.display();
        // All zeros are in sync, so that nothing has to be written for that.
        let all = (legs * (METADATA + leg)).to_string();
        let disk = path.to_string();
        output("blkdiscard", &["-f", "--zeroout", "--length", &all, &disk])?;
        let mut target = format!("raid {kind} {legs}");
        let mut parts = Vec::new();
        let mut offset = 0;
        for number in 0..legs {
            for (what, size) in [("about", METADATA), ("data", leg)] {
                let linear = format!("linear {path} {}", offset / 512);
                let name = format!("{NAME}-{what}-{number}");
                let part = MapperDevice::create(&name, size / 512, &linear)?;
                target += &format!(" {}", part.path().display());
                parts.push(part);
                offset += size;
            }
        }
        let array = MapperDevice::create(NAME, bytes / 512, &target)?;
        Ok(Self {
            array,
            _parts: parts,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.array.path()
    }

    /// Compares the legs: sectors that do not fit each other.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn mismatches(&self) -> Result<u64> {
        let idle = || Ok(self.array.status(ACTION)? == "idle");
        let limit = Duration::from_secs(60);
        wait_for("the array is idle", limit, idle)?;
        self.array.message("check")?;
        wait_for("the check has ended", limit, idle)?;
        self.array.number(MISMATCHES)
    }
}
