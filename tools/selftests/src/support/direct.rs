// SPDX-License-Identifier: GPL-2.0
//! Reads what is on the disk, past the page cache.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{bail, Context, Result};

use super::{page_size, Census, Requirement, Stamp};

/// Pages read at a time.
const BATCH: usize = 64;

/// A file open for O_DIRECT, with a buffer that is aligned for it.
#[derive(Debug)]
pub struct DirectReader {
    file: File,
    buffer: Vec<Page>,
}

/// A page in memory, aligned like one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4096))]
struct Page([u8; page_size()]);

impl DirectReader {
    /// Opens `path`, a file or a disk.
    ///
    /// # Errors
    ///
    /// It cannot be opened with O_DIRECT.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(path)
            .with_context(|| format!("opening {} with O_DIRECT", path.display()))?;
        Ok(Self {
            file,
            buffer: vec![Page([0; page_size()]); BATCH],
        })
    }

    /// Reads all `pages` pages and counts them by their fate.
    ///
    /// # Errors
    ///
    /// A page cannot be read for another reason than a wrong checksum.
    pub fn census(&mut self, pages: u64, requirement: Requirement) -> Result<Census> {
        let mut census = Census::default();
        let mut first = 0;
        while first < pages {
            let count = BATCH.min((pages - first) as usize);
            census.add(self.batch(first, count, requirement)?);
            first += count as u64;
        }
        Ok(census)
    }

    /// Reads page `page` alone.
    ///
    /// # Errors
    ///
    /// As [`DirectReader::census`].
    pub fn page(&mut self, page: u64, requirement: Requirement) -> Result<Census> {
        self.batch(page, 1, requirement)
    }

    /// What page `page` says about itself as number `number`.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn stamp(&mut self, page: u64, number: u64) -> Result<Stamp> {
        self.read(page, 1)
            .with_context(|| format!("reading page {page}"))?;
        Ok(Stamp::read(&self.buffer[0].0, number))
    }

    /// What page `page` holds.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn bytes(&mut self, page: u64) -> io::Result<&[u8]> {
        self.read(page, 1)?;
        Ok(&self.buffer[0].0)
    }

    /// Reads `count` pages together, or one by one when that fails.
    fn batch(&mut self, first: u64, count: usize, requirement: Requirement) -> Result<Census> {
        let mut census = Census::default();
        match self.read(first, count) {
            Ok(()) => {
                for (page, number) in self.buffer[..count].iter().zip(first..) {
                    census.count(Stamp::read(&page.0, number), requirement);
                }
            }
            Err(error) if is_checksum_error(&error) && count == 1 => census.count_unreadable(),
            Err(error) if is_checksum_error(&error) => {
                for number in (first..).take(count) {
                    census.add(self.batch(number, 1, requirement)?);
                }
            }
            Err(error) => bail!("reading page {first}: {error}"),
        }
        Ok(census)
    }

    fn read(&mut self, first: u64, count: usize) -> io::Result<()> {
        let buffer = &mut self.buffer[..count];
        // SAFETY: pages consist of bytes, and `buffer` is borrowed exclusively.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(
                buffer.as_mut_ptr().cast::<u8>(),
                size_of_val::<[Page]>(buffer),
            )
        };
        self.file.read_exact_at(bytes, first * page_size() as u64)
    }
}

/// How btrfs (EIO) and dm-integrity (EILSEQ) answer when a checksum is wrong.
fn is_checksum_error(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EILSEQ))
}
