// SPDX-License-Identifier: GPL-2.0
//! A program that writes as programs do: into the parts of the files that
//! nobody leased, and into a file that nobody leased at all.

use std::{
    fs::{File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use anyhow::{Context as _, Result};

use super::{
    layout::{DEVICES, PLAIN, PLAIN_PAGES},
    tally::Count,
    Ground,
};
use crate::{
    harness::TestResult,
    support::{page_size, stamp, DirectReader, Fill, Mapped, Requirement, Window},
};

/// A part of a file that is ours.
struct Place {
    file: File,
    reader: DirectReader,
    pages: Range<u64>,
    window: Window,
}

impl Place {
    fn open(path: &Path, pages: Range<u64>) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = (pages.end - pages.start) as usize * page_size();
        Ok(Self {
            window: Window::new(&file, pages.start * page_size() as u64, length)?,
            reader: DirectReader::open(path)?,
            file,
            pages,
        })
    }

    fn content(&self, generation: u64) -> Vec<u8> {
        let mut bytes = vec![0; (self.pages.end - self.pages.start) as usize * page_size()];
        for (page, number) in bytes.chunks_exact_mut(page_size()).zip(self.pages.clone()) {
            stamp(page, number, generation);
        }
        bytes
    }

    /// Writes by write(2) or by stores into the mapping, asks for durability,
    /// reads the disk.
    fn round(&mut self, random: &mut fastrand::Rng, generation: u64) -> Result<u64> {
        let bytes = self.content(generation);
        if random.bool() {
            let offset = self.pages.start * page_size() as u64;
            self.file.write_all_at(&bytes, offset).context("write")?;
        } else {
            // SAFETY: the mapping has as many bytes, and only raw pointers
            // reach it.
            unsafe {
                self.window
                    .address()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
            };
        }
        if random.bool() {
            self.file.sync_all().context("fsync")?;
        } else {
            self.file.sync_data().context("fdatasync")?;
        }
        let (first, pages) = (self.pages.start, self.pages.end - self.pages.start);
        let required = Requirement::Exactly(generation);
        self.reader
            .part(first, pages, first, required)?
            .all_kept()?;
        Ok(pages)
    }
}

/// Runs it until the end.
pub fn run(ground: &Ground) -> TestResult {
    let mut random = ground.random(100);
    let plain = Mapped::create(&ground.files.join(PLAIN), PLAIN_PAGES, Fill::Written)?;
    ground.wait_for_devices();
    let mut places = vec![Place::open(plain.path(), 0..PLAIN_PAGES)?];
    for device in &DEVICES {
        for pages in device.unleased() {
            places.push(Place::open(&device.path(ground), pages)?);
        }
    }
    let mut generation = 0;
    ground.until_stopped(|| {
        generation += 1;
        let index = random.usize(..places.len());
        let pages = places[index]
            .round(&mut random, generation)
            .with_context(|| format!("place {index}, generation {generation}"))?;
        ground.tally.add(Count::Beside, pages);
        Ok(())
    })
}
