// SPDX-License-Identifier: GPL-2.0
//! Frames into a file, one after the other, each on the disk while the stream goes
//! on.

use std::hash::{DefaultHasher, Hasher};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, DmaBuf, ExportOptions, Lease, PinOptions, Policy};

use crate::{
    harness::{Context, Side, TestResult},
    support::{
        expect::errno,
        page_size, residue,
        video::{Memory, Video},
        DirectReader, Fill, Mapped,
    },
};

/// Buffers that vivid has at a time.
pub const BUFFERS: u32 = 4;

/// The stock kernel takes no memory that is mapped from a file; with a lease
/// each frame is written where it belongs.
pub fn check(context: &Context) -> TestResult {
    if context.side == Side::Stock {
        return stock(context);
    }
    context.load_modules()?;
    let video = Video::open(Memory::DmaBuf, BUFFERS)?;
    let pages = video.frame_size().div_ceil(page_size()) as u64;
    let frames = context.frames;
    let mapped = Mapped::create(&context.path("vivid"), frames * pages, Fill::Written)?;
    let lease = Device::open()?
        .lease(&mapped)
        .policy(Policy::Refuse)
        .acquire()?;
    let mut film = Film {
        video,
        lease: &lease,
        mapped: &mapped,
        pages,
        slots: Vec::new(),
    };
    let digests = film.shoot(frames)?;
    drop(film);
    drop(lease);
    residue::none_left()?;
    // Nothing that came later spoiled what was there.
    let mut disk = DirectReader::open(mapped.path())?;
    for (frame, digest) in digests.iter().enumerate() {
        let first = frame as u64 * pages;
        let there = on_disk(&mut disk, first, pages)?;
        ensure!(there == *digest, "frame {frame} is another one in the end");
    }
    println!("{frames} frames of {pages} pages");
    Ok(())
}

/// What a program has today: a pointer.
fn stock(context: &Context) -> TestResult {
    let video = Video::open(Memory::UserPtr, BUFFERS)?;
    let pages = video.frame_size().div_ceil(page_size()) as u64;
    let mapped = Mapped::create(&context.path("vivid"), pages, Fill::Written)?;
    let queued = video.queue_memory(0, mapped.address(0));
    errno("V4L2_MEMORY_USERPTR in a file", queued, Errno::EFAULT)
}

/// A stream into a file.
struct Film<'a> {
    video: Video,
    lease: &'a Lease,
    mapped: &'a Mapped,
    /// Of a frame.
    pages: u64,
    /// Which frame each buffer is for.
    slots: Vec<Slot>,
}

/// Memory of a frame.
struct Slot {
    frame: u64,
    pin: u64,
    _buffer: DmaBuf,
}

impl Film<'_> {
    /// Takes so many frames; returns what tells each from others.
    fn shoot(&mut self, frames: u64) -> Result<Vec<u64>> {
        for index in 0..BUFFERS {
            let slot = self.give(index, index.into())?;
            self.slots.push(slot);
        }
        self.video.start()?;
        let mut disk = DirectReader::open(self.mapped.path())?;
        let mut digests = Vec::new();
        for _ in 0..frames {
            let taken = self.video.dequeue().context("VIDIOC_DQBUF")?;
            ensure!(taken.length == self.video.frame_size(), "{taken:?}");
            let slot = &self.slots[taken.index as usize];
            let frame = slot.frame;
            ensure!(frame == digests.len() as u64, "frame {frame} comes early");
            self.mapped.file().sync_all()?;
            let first = frame * self.pages;
            let there = on_disk(&mut disk, first, self.pages)?;
            let here = in_memory(self.mapped, first, self.pages);
            ensure!(there == here, "frame {frame} is not on the disk");
            ensure!(
                digests.last() != Some(&there),
                "frame {frame} is as the one before"
            );
            digests.push(there);
            let next = frame + u64::from(BUFFERS);
            if next < frames {
                let given = self.give(taken.index, next)?;
                let old = std::mem::replace(&mut self.slots[taken.index as usize], given);
                let pin = old.pin;
                drop(old);
                self.lease.unpin(pin).context("after vivid let go of it")?;
            }
        }
        self.video.stop()?;
        Ok(digests)
    }

    /// Gives the memory of a frame.
    fn give(&self, index: u32, frame: u64) -> Result<Slot> {
        let address = self.mapped.address(frame * self.pages);
        let length = self.pages as usize * page_size();
        let pin = self.lease.pin(address, length, PinOptions::default())?;
        let pin = pin.into_id();
        let buffer = self.lease.export(pin, ExportOptions::default())?;
        self.video
            .queue(index, &buffer)
            .with_context(|| format!("VIDIOC_QBUF of frame {frame}"))?;
        Ok(Slot {
            frame,
            pin,
            _buffer: buffer,
        })
    }
}

/// What tells the contents of pages from others.
fn on_disk(disk: &mut DirectReader, first: u64, pages: u64) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for page in first..first + pages {
        hasher.write(disk.bytes(page)?);
    }
    Ok(hasher.finish())
}

fn in_memory(mapped: &Mapped, first: u64, pages: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    for page in first..first + pages {
        hasher.write(&mapped.load(page));
    }
    hasher.finish()
}
