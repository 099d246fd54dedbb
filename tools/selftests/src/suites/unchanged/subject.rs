// SPDX-License-Identifier: GPL-2.0
//! A leased file that is pinned, written, let go and pinned again.

use std::{
    ops::Range,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, Lease, PinOptions, Policy};

use crate::{
    harness::{Context, Side},
    support::{
        expect::from_io, page_size, proc::wait_for, stamp, DirectReader, Engine, Fill, Mapped,
        Stamp,
    },
};

/// Bytes of a page.
pub const PAGE: u64 = page_size() as u64;

/// A pin and the device that has it.
#[derive(Debug)]
struct Held {
    engine: Engine,
    /// `None`: the driver made it.
    pin: Option<u64>,
}

/// See above.
#[derive(Debug)]
pub struct Subject {
    // Dropped in this order.
    held: Vec<Held>,
    lease: Option<Lease>,
    pub mapped: Mapped,
    side: Side,
    marked: bool,
}

impl Subject {
    /// A new file, leased and pinned as a whole.
    pub fn new(context: &Context, pages: u64, fill: Fill) -> Result<Self> {
        context.load_modules()?;
        Self::at(context.side, &context.path("unchanged"), pages, fill, false)
    }

    /// The same at `path`.
    pub fn at(side: Side, path: &Path, pages: u64, fill: Fill, marked: bool) -> Result<Self> {
        let mut subject = Self {
            held: Vec::new(),
            lease: None,
            mapped: Mapped::create(path, pages, fill)?,
            side,
            marked,
        };
        subject.acquire()?;
        subject.pin()?;
        Ok(subject)
    }

    /// Takes the lease, where there is one.
    pub fn acquire(&mut self) -> Result<()> {
        if self.side != Side::Stock {
            let lease = Device::open()?
                .lease(&self.mapped)
                .policy(Policy::Block)
                .grant(self.side == Side::Grant)
                .acquire()?;
            self.lease = Some(lease);
        }
        Ok(())
    }

    /// Pins the whole file, for one more device.
    pub fn pin(&mut self) -> Result<()> {
        let engine = Engine::open()?;
        let (address, length) = (self.mapped.address(0), self.mapped.length());
        let pin = match (self.side, &self.lease) {
            (Side::Pinlease, Some(lease)) => {
                let options = PinOptions {
                    marked: self.marked,
                };
                let pin = lease.pin(address, length, options)?.into_id();
                engine.attach(lease, pin).context("attaching the device")?;
                Some(pin)
            }
            _ => {
                let longterm = self.side == Side::Grant;
                engine
                    .pin_raw(address, length, longterm)
                    .context("raw pin")?;
                None
            }
        };
        self.held.push(Held { engine, pin });
        Ok(())
    }

    /// The device that was given its pin first lets go of it.
    pub fn unpin(&mut self) -> Result<()> {
        ensure!(!self.held.is_empty(), "nothing is pinned");
        let Held { engine, pin } = self.held.remove(0);
        drop(engine);
        if let (Some(lease), Some(pin)) = (&self.lease, pin) {
            lease.unpin(pin)?;
        }
        Ok(())
    }

    /// Ends all pins and the lease.
    pub fn close(&mut self) -> Result<()> {
        while !self.held.is_empty() {
            self.unpin()?;
        }
        self.lease = None;
        Ok(())
    }

    /// The lease.
    pub fn lease(&self) -> Result<&Lease> {
        self.lease.as_ref().context("no lease")
    }

    /// How many devices have a pin.
    pub fn devices(&self) -> usize {
        self.held.len()
    }

    /// Device `number` writes these pages.
    pub fn device(&self, number: usize, pages: Range<u64>, generation: u64) -> Result<()> {
        let count = pages.end - pages.start;
        let held = self.held.get(number).context("no such device")?;
        held.engine.write(pages.start, count, generation)?;
        if self.marked {
            self.lease()?.mark(pages.start * PAGE, count * PAGE)?;
        }
        Ok(())
    }

    /// The device writes everything.
    pub fn write(&self, generation: u64) -> Result<()> {
        self.device(0, 0..self.mapped.pages(), generation)
    }

    /// The first device.
    pub fn engine(&self) -> Result<&Engine> {
        let first = self.held.first();
        Ok(&first.context("nothing is pinned")?.engine)
    }

    /// fsync(2).
    pub fn fsync(&self) -> Result<()> {
        self.mapped.file().sync_all().context("fsync")
    }

    /// The device writes everything; fsync.
    pub fn write_durably(&self, generation: u64) -> Result<()> {
        self.write(generation)?;
        self.fsync()?;
        self.holds(generation)
    }

    /// Asserts that the disk has `generation`, in every page.
    pub fn holds(&self, generation: u64) -> Result<()> {
        let mut reader = DirectReader::open(self.mapped.path())?;
        for page in 0..self.mapped.pages() {
            let stamp = reader.stamp(page, page)?;
            ensure!(
                stamp == Stamp::Whole(generation),
                "page {page} on the disk is {stamp:?}, not of generation {generation}"
            );
        }
        Ok(())
    }

    /// Writeback of which nobody tells pinlease beforehand: sync_file_range(2)
    /// of pages that the CPU made dirty.
    pub fn untold_writeback(&self) -> Result<()> {
        self.mapped.touch()?;
        let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let file = self.mapped.file().as_raw_fd();
        // SAFETY: the file is open; the call takes no memory.
        let result = unsafe { libc::sync_file_range(file, 0, 0, flags) };
        Errno::result(result).context("sync_file_range")?;
        Ok(())
    }

    /// write(2) through the page cache.
    pub fn buffered_write(&self, page: u64, generation: u64) -> Result<()> {
        let mut buffer = vec![0; page_size()];
        stamp(&mut buffer, page, generation);
        let file = self.mapped.file();
        file.write_all_at(&buffer, page * PAGE).context("write")
    }

    /// A store by the CPU.
    pub fn store(&self, page: u64, generation: u64) {
        let mut buffer = vec![0; page_size()];
        stamp(&mut buffer, page, generation);
        // SAFETY: the page is mapped, and nothing refers to it but raw pointers.
        unsafe {
            self.mapped
                .address(page)
                .copy_from_nonoverlapping(buffer.as_ptr(), buffer.len());
        }
    }
}

/// A page in memory, aligned like one.
#[repr(C, align(4096))]
struct Page([u8; page_size()]);

/// Writes pages with O_DIRECT, past the page cache.
fn direct_write(path: &Path, pages: Range<u64>, generation: u64) -> nix::Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(path);
    let file = from_io(file)?;
    let mut buffer = Box::new(Page([0; page_size()]));
    for page in pages {
        stamp(&mut buffer.0, page, generation);
        from_io(file.write_all_at(&buffer.0, page * PAGE))?;
    }
    Ok(())
}

/// The same, once a lease of our own that was just closed is gone.
pub fn direct_write_soon(path: &Path, pages: Range<u64>, generation: u64) -> Result<()> {
    wait_for(
        "O_DIRECT write after the lease",
        Duration::from_secs(20),
        || match direct_write(path, pages.clone(), generation) {
            Ok(()) => Ok(true),
            Err(Errno::EDEADLK | Errno::ETXTBSY) => Ok(false),
            Err(other) => Err(other).context("O_DIRECT write"),
        },
    )
    .map(drop)
}
