// SPDX-License-Identifier: GPL-2.0
//! A pinned file on a disk of its own, where nobody writes but who is asked to.

use std::ops::Range;

use anyhow::Result;

use crate::{
    harness::Context,
    support::{
        page_size,
        sysctl::{idle_flusher, Sysctl},
        DirectReader, Fill, Layer, Requirement, Rig, RigOptions, Scratch, WriteCounter,
    },
};

/// Bytes of a page.
pub const PAGE: u64 = page_size() as u64;

/// What a filesystem may write by itself when a few pages are made durable: log,
/// superblocks, and trees, of which btrfs has two copies.
pub const OVERHEAD: u64 = 512 << 10;

/// Bytes of the largest folio that a filesystem makes; pages of one are written
/// together.
pub const FOLIO: u64 = 2 << 20;

/// What may be written for `bytes` bytes that lie together.
pub fn allowed(fill: Fill, bytes: u64) -> u64 {
    match fill {
        Fill::Faulted => bytes + OVERHEAD,
        // One folio is cut at each end.
        Fill::Written => bytes.next_multiple_of(FOLIO) + FOLIO + OVERHEAD,
    }
}

/// See above.
pub struct Subject {
    // Dropped in this order.
    pub rig: Rig,
    scratch: Scratch,
    pages: u64,
    marked: bool,
    _quiet: Option<[Sysctl; 2]>,
}

impl Subject {
    /// All of it is pinned, was written by the device once, and is on the disk; the
    /// flusher and the tick do nothing.
    pub fn new(context: &Context, pages: u64, fill: Fill, marked: bool) -> Result<Self> {
        context.load_modules()?;
        Self::with(context, pages, fill, marked, Some(idle_flusher()?))
    }

    /// The same, but the flusher and the tick do what they do.
    pub fn flushed(context: &Context, pages: u64, fill: Fill, marked: bool) -> Result<Self> {
        context.load_modules()?;
        Self::with(context, pages, fill, marked, None)
    }

    fn with(
        context: &Context,
        pages: u64,
        fill: Fill,
        marked: bool,
        quiet: Option<[Sysctl; 2]>,
    ) -> Result<Self> {
        let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
        let mut options = RigOptions::new(context.side, pages, fill);
        if marked {
            options = options.marked();
        }
        let subject = Self {
            rig: options.build(&scratch.dir().join("f"))?,
            scratch,
            pages,
            marked,
            _quiet: quiet,
        };
        subject.write(0..pages, 1)?;
        subject.rig.fsync()?;
        nix::unistd::sync();
        Ok(subject)
    }

    /// The device writes these pages, and the holder says so if it is to.
    pub fn write(&self, pages: Range<u64>, generation: u64) -> Result<()> {
        let count = pages.end - pages.start;
        self.rig.engine.write(pages.start, count, generation)?;
        if self.marked {
            self.rig.lease()?.mark(pages.start * PAGE, count * PAGE)?;
        }
        Ok(())
    }

    /// Bytes that are written to the disk for `action`.
    pub fn cost(&self, what: &str, action: impl FnOnce() -> Result<()>) -> Result<u64> {
        let counter = WriteCounter::of(self.scratch.dir())?;
        action()?;
        let bytes = counter.bytes()?;
        println!("{what}: {bytes} bytes written");
        Ok(bytes)
    }

    /// The same for an fsync.
    pub fn fsync(&self, what: &str) -> Result<u64> {
        self.cost(what, || self.rig.fsync())
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.pages * PAGE
    }

    /// Asserts that the disk has `generation` in these pages; the reader writes
    /// back what is dirty, so that only the costs tell who did.
    pub fn holds(&self, pages: Range<u64>, generation: u64) -> Result<()> {
        if pages.is_empty() {
            return Ok(());
        }
        let (first, count) = (pages.start, pages.end - pages.start);
        DirectReader::open(self.rig.mapped.path())?
            .part(first, count, first, Requirement::Exactly(generation))?
            .all_kept()
    }
}
