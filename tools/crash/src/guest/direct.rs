// SPDX-License-Identifier: GPL-2.0
//! Blocks of a disk, past the page cache.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, Result};

use crate::geometry::BLOCK;

/// A block in memory, aligned as O_DIRECT wants it.
#[derive(Debug)]
#[repr(align(4096))]
struct Aligned([u8; BLOCK]);

/// A disk that is open for O_DIRECT.
#[derive(Debug)]
pub struct DirectDisk {
    file: File,
    block: Box<Aligned>,
}

impl DirectDisk {
    /// Opens it for reading, and for writing if `write`.
    ///
    /// # Errors
    ///
    /// It cannot be opened with O_DIRECT.
    pub fn open(path: &Path, write: bool) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(libc::O_DIRECT)
            .open(path)
            .with_context(|| format!("opening {} with O_DIRECT", path.display()))?;
        Ok(Self {
            file,
            block: Box::new(Aligned([0; BLOCK])),
        })
    }

    /// Reads a block.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn read(&mut self, at: u64) -> io::Result<[u8; BLOCK]> {
        self.file.read_exact_at(&mut self.block.0, at)?;
        Ok(self.block.0)
    }

    /// Writes a block.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn write(&mut self, at: u64, block: &[u8; BLOCK]) -> io::Result<()> {
        self.block.0 = *block;
        self.file.write_all_at(&self.block.0, at)
    }
}
