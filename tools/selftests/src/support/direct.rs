// SPDX-License-Identifier: GPL-2.0
//! Reads what is on the disk, past the page cache.

use std::{
    fs::{File, OpenOptions},
    hash::{DefaultHasher, Hasher},
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

/// What a part of a file or a disk holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its pages by their fate.
    pub census: Census,
    /// The oldest and the newest generation in them, as far as they can be read and
    /// are the device's.
    pub generations: Option<(u64, u64)>,
}

impl Reading {
    fn count(&mut self, stamp: Stamp, requirement: Requirement) {
        self.census.count(stamp, requirement);
        let (oldest, newest) = match stamp {
            Stamp::Whole(generation) => (generation, generation),
            Stamp::Mixed { oldest, newest } => (oldest, newest),
            Stamp::Foreign => return,
        };
        let (low, high) = self.generations.unwrap_or((oldest, newest));
        self.generations = Some((low.min(oldest), high.max(newest)));
    }
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
        self.part(0, pages, 0, requirement)
    }

    /// Reads `pages` pages from page `first` on, which say that they are number
    /// `number` and following, and counts them by their fate.
    ///
    /// # Errors
    ///
    /// As [`DirectReader::census`].
    pub fn part(
        &mut self,
        first: u64,
        pages: u64,
        number: u64,
        requirement: Requirement,
    ) -> Result<Census> {
        Ok(self.reading(first, pages, number, requirement)?.census)
    }

    /// The same, and which generations there are.
    ///
    /// # Errors
    ///
    /// As [`DirectReader::census`].
    pub fn reading(
        &mut self,
        first: u64,
        pages: u64,
        number: u64,
        requirement: Requirement,
    ) -> Result<Reading> {
        let mut reading = Reading::default();
        let mut done = 0;
        while done < pages {
            let count = BATCH.min((pages - done) as usize);
            self.batch(
                first + done,
                count,
                number + done,
                requirement,
                &mut reading,
            )?;
            done += count as u64;
        }
        Ok(reading)
    }

    /// A number that tells whether the first `pages` pages have changed.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn digest(&mut self, pages: u64) -> Result<u64> {
        // Always with the same keys.
        let mut hasher = DefaultHasher::new();
        for first in (0..pages).step_by(BATCH) {
            let count = BATCH.min((pages - first) as usize);
            self.read(first, count)
                .with_context(|| format!("reading page {first}"))?;
            for page in &self.buffer[..count] {
                hasher.write(&page.0);
            }
        }
        Ok(hasher.finish())
    }

    /// Reads page `page` alone.
    ///
    /// # Errors
    ///
    /// As [`DirectReader::census`].
    pub fn page(&mut self, page: u64, requirement: Requirement) -> Result<Census> {
        self.part(page, 1, page, requirement)
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
    fn batch(
        &mut self,
        first: u64,
        count: usize,
        number: u64,
        requirement: Requirement,
        reading: &mut Reading,
    ) -> Result<()> {
        match self.read(first, count) {
            Ok(()) => {
                for (page, number) in self.buffer[..count].iter().zip(number..) {
                    reading.count(Stamp::read(&page.0, number), requirement);
                }
            }
            Err(error) if is_checksum_error(&error) && count == 1 => {
                reading.census.count_unreadable();
            }
            Err(error) if is_checksum_error(&error) => {
                for index in 0..count as u64 {
                    self.batch(first + index, 1, number + index, requirement, reading)?;
                }
            }
            Err(error) => bail!("reading page {first}: {error}"),
        }
        Ok(())
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
