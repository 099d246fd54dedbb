// SPDX-License-Identifier: GPL-2.0
//! Reads what the disk holds of a file, without asking the filesystem for it:
//! a direct read of the file would have its dirty pages written first.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::support::{
    data_blocks::{chunks, extents_as_they_are, Chunk},
    page_size, DirectReader, Filesystem, Mapped, Requirement,
};

/// A file's disk.
#[derive(Debug)]
pub struct Disk {
    reader: DirectReader,
    path: PathBuf,
    /// What btrfs has told of itself; `None`: it is another filesystem.
    chunks: Option<Vec<Chunk>>,
}

impl Disk {
    /// The disk at `path`, which `mapped` is on.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn open(path: &Path, mapped: &Mapped) -> Result<Self> {
        Ok(Self {
            reader: DirectReader::open(path)?,
            path: path.into(),
            chunks: (Filesystem::of(mapped.path())? == Filesystem::Btrfs).then(Vec::new),
        })
    }

    /// The oldest and the newest generation that the disk holds of a file.
    ///
    /// # Errors
    ///
    /// The filesystem does not tell where the file is, or the disk cannot be read.
    pub fn generations(&mut self, mapped: &Mapped) -> Result<Option<(u64, u64)>> {
        let page = page_size() as u64;
        let mut found = None;
        for extent in extents_as_they_are(mapped.file())? {
            let start = self.on_disk(extent.physical)?;
            let any = Requirement::AtLeast(0);
            let number = extent.logical / page;
            let reading = self
                .reader
                .reading(start / page, extent.length / page, number, any)?;
            found = widest(found, reading.generations);
        }
        Ok(found)
    }
}

impl Disk {
    fn on_disk(&mut self, address: u64) -> Result<u64> {
        let Some(known) = &mut self.chunks else {
            return Ok(address);
        };
        if let Some(place) = on_disk(known, address) {
            return Ok(place);
        }
        *known = chunks(&self.path)?;
        on_disk(known, address).with_context(|| format!("btrfs has no chunk with {address}"))
    }
}

/// Where btrfs put what it calls `address`.
fn on_disk(chunks: &[Chunk], address: u64) -> Option<u64> {
    let chunk = chunks.iter().find(|chunk| {
        let end = chunk.logical + (chunk.disk.end - chunk.disk.start);
        (chunk.logical..end).contains(&address)
    })?;
    Some(chunk.disk.start + (address - chunk.logical))
}

/// The range that has both in it.
pub fn widest(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_btrfs() {
        let chunks = [Chunk {
            logical: 1000,
            disk: 5000..5100,
        }];
        assert_eq!(on_disk(&chunks, 1010), Some(5010));
        assert_eq!(on_disk(&chunks, 1100), None);
    }

    #[test]
    fn ranges_grow() {
        assert_eq!(widest(None, Some((2, 3))), Some((2, 3)));
        assert_eq!(widest(Some((1, 2)), Some((2, 3))), Some((1, 3)));
        assert_eq!(widest(Some((1, 2)), None), Some((1, 2)));
    }
}
