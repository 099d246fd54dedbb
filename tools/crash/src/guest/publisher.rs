// SPDX-License-Identifier: GPL-2.0
//! How a process of a run publishes.

use std::path::Path;

use anyhow::{Context, Result};
use selftests::support::Filesystem;

use super::direct::DirectDisk;
use crate::{
    geometry::slot_at,
    record::{Fact, Record},
};

/// The main process, with the devices.
pub const DEVICES: u8 = 0;
/// The one that writes beside them.
pub const NEIGHBOURS: u8 = 1;

/// The right to publish in one slot.
#[derive(Debug)]
pub struct Publisher {
    disk: DirectDisk,
    at: u64,
    seed: u64,
}

impl Publisher {
    /// Opens the disk.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn new(disk: &Path, filesystem: Filesystem, slot: u8, seed: u64) -> Result<Self> {
        Ok(Self {
            disk: DirectDisk::open(disk, true)?,
            at: slot_at(filesystem, slot),
            seed,
        })
    }

    /// Publishes; when it returns, the disk's log has it.
    ///
    /// # Errors
    ///
    /// The disk cannot be written.
    pub fn publish(&mut self, facts: Vec<Fact>) -> Result<()> {
        let record = Record {
            seed: self.seed,
            facts,
        };
        self.disk
            .write(self.at, &record.encode()?)
            .context("publishing")
    }
}
