// SPDX-License-Identifier: GPL-2.0
//! Reads what the disk holds of a file, without asking the filesystem for it:
//! a direct read of the file would have its dirty pages written first.

use std::path::Path;

use anyhow::{Context, Result};

use super::chunks::chunks;
use crate::support::{
    data_blocks::extents_as_they_are, page_size, DirectReader, Filesystem, Mapped, Requirement,
};

/// A file's disk.
#[derive(Debug)]
pub struct Disk {
    reader: DirectReader,
    filesystem: Filesystem,
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
            filesystem: Filesystem::of(mapped.path())?,
        })
    }

    /// The oldest and the newest generation that the disk holds of a file.
    ///
    /// # Errors
    ///
    /// The filesystem does not tell where the file is, or the disk cannot be read.
    pub fn generations(&mut self, mapped: &Mapped) -> Result<Option<(u64, u64)>> {
        let page = page_size() as u64;
        let chunks = match self.filesystem {
            Filesystem::Btrfs => Some(chunks(mapped.file())?),
            Filesystem::Ext4 | Filesystem::Xfs => None,
        };
        let mut found = None;
        for extent in extents_as_they_are(mapped.file())? {
            let place = match &chunks {
                Some(chunks) => chunks
                    .iter()
                    .find_map(|chunk| chunk.on_disk(extent.physical)),
                None => Some(extent.physical),
            };
            let place = place.with_context(|| format!("no chunk with {}", extent.physical))?;
            let (pages, number) = (extent.length / page, extent.logical / page);
            let any = Requirement::AtLeast(0);
            let reading = self.reader.reading(place / page, pages, number, any)?;
            found = widest(found, reading.generations);
        }
        Ok(found)
    }
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
    fn ranges_grow() {
        assert_eq!(widest(None, Some((2, 3))), Some((2, 3)));
        assert_eq!(widest(Some((1, 2)), Some((2, 3))), Some((1, 3)));
        assert_eq!(widest(Some((1, 2)), None), Some((1, 2)));
    }
}
