// SPDX-License-Identifier: GPL-2.0
//! From a device to durable in a file, by io_uring: into a leased mapping, beside what people do
//! today.
//!
//! A device fills a buffer, once or ten times over, and at the end the file is made durable by
//! fsync.  What is filled is
//!
//! * *leased*: the file's own mapping, under a lease with a grant, registered with io_uring once:
//!   `READ_FIXED` from the disk into it;
//! * *staging*: anonymous memory that is registered once; after each fill pwrite(2) of all of it;
//! * *direct*: the same, but written with `O_DIRECT`.
//!
//! What is set up once, and kept for as long as a program runs, is not measured.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
};

use anyhow::{bail, ensure, Context, Result};
use io_uring::{opcode, types::Fd, IoUring};
use pinlease::{Device, Lease, Policy};
use selftests::support::{page_size, Fill, Mapped};

use super::{
    anonymous::Anonymous,
    disk::{volume, NullDisk},
    session::Session,
    turns::{timed, Pairs},
};
use crate::{measured::Unit, mode::Mode};

pub(super) const NAMES: &[&str] = &["rewrite10_", "writeonce_"];

/// Bytes of one read.
const PIECE: usize = 1 << 20;

/// Reads that are under way at a time.
const DEPTH: u32 = 16;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinlease")?;
    let bytes = session.either(32 << 20, 4 << 20);
    let source = NullDisk::new("source", 512, 1)?;
    fill(source.path(), bytes)?;
    let disk = NullDisk::new("target", 1024, 1)?;
    let volume = volume(&disk, session.filesystem())?;
    on(session, source.path(), volume.dir(), bytes, "")?;
    if session.mode() == Mode::Wall {
        fill(session.source(), bytes)?;
        on(session, session.source(), session.dir(), bytes, "_virtio")?;
    }
    Ok(())
}

/// Writes the disk that is read from.
fn fill(source: &Path, bytes: usize) -> Result<()> {
    let file = OpenOptions::new().write(true).open(source)?;
    let content: Vec<u8> = (0..bytes).map(|at| (at / 7) as u8).collect();
    file.write_all_at(&content, 0)?;
    file.sync_all().context("fsync of the source")
}

fn on(session: &Session<'_>, source: &Path, dir: &Path, bytes: usize, suffix: &str) -> Result<()> {
    let mut leased = Leased::new(source, dir, bytes)?;
    let mut staging = Staging::new(source, &dir.join("staging"), bytes, 0)?;
    let mut direct = Staging::new(source, &dir.join("direct"), bytes, libc::O_DIRECT)?;
    for (name, times) in [("writeonce", 1), ("rewrite10", 10)] {
        let [mut beside_staging, mut beside_direct] = [Pairs::default(), Pairs::default()];
        for round in 0..=session.rounds() {
            let theirs = timed(|| staging.run(times))?;
            let directly = timed(|| direct.run(times))?;
            let ours = timed(|| leased.run(times))?;
            if round > 0 {
                beside_staging.add(ours, theirs);
                beside_direct.add(ours, directly);
            }
        }
        session.tell(beside_staging.speed(
            format!("{name}_vs_staging{suffix}"),
            "reading into an anonymous buffer, pwrite(2), fsync",
            Unit::Ns,
        ))?;
        session.tell(beside_direct.speed(
            format!("{name}_vs_direct{suffix}"),
            "reading into an anonymous buffer, pwrite(2) with O_DIRECT, fsync",
            Unit::Ns,
        ))?;
    }
    Ok(())
}

/// A disk that is read into registered memory.
struct Reader {
    ring: IoUring,
    source: File,
    memory: *mut u8,
    length: usize,
}

impl Reader {
    /// # Safety
    ///
    /// The memory is mapped as long as the reader is there, and only raw pointers lead to it while
    /// [`Reader::read`] runs.
    unsafe fn new(source: &Path, memory: *mut u8, length: usize) -> Result<Self> {
        let ring = IoUring::new(DEPTH)?;
        let buffer = libc::iovec {
            iov_base: memory.cast(),
            iov_len: length,
        };
        // SAFETY: as the caller promises.
        unsafe { ring.submitter().register_buffers(&[buffer]) }.context("registering memory")?;
        let mut options = OpenOptions::new();
        let source = options
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(source)?;
        Ok(Self {
            ring,
            source,
            memory,
            length,
        })
    }

    /// Has the disk fill all of the memory.
    fn read(&mut self) -> Result<()> {
        let fd = Fd(self.source.as_raw_fd());
        let (mut next, mut under_way) = (0, 0);
        while next < self.length || under_way > 0 {
            while next < self.length && under_way < DEPTH {
                let length = PIECE.min(self.length - next);
                let to = self.memory.wrapping_add(next);
                let read = opcode::ReadFixed::new(fd, to, u32::try_from(length)?, 0);
                let entry = read.offset(next as u64).build().user_data(length as u64);
                // SAFETY: the memory is registered, the file is open as long as the ring.
                if unsafe { self.ring.submission().push(&entry) }.is_err() {
                    break;
                }
                next += length;
                under_way += 1;
            }
            self.ring.submit_and_wait(1)?;
            for done in self.ring.completion() {
                under_way -= 1;
                let (got, wanted) = (done.result(), done.user_data());
                if got < 0 {
                    bail!(std::io::Error::from_raw_os_error(-got));
                }
                ensure!(u64::from(got.unsigned_abs()) == wanted, "a short read");
            }
        }
        Ok(())
    }
}

/// The way under a lease.
struct Leased {
    // Dropped in this order.
    reader: Reader,
    _lease: Lease,
    mapped: Mapped,
}

impl Leased {
    fn new(source: &Path, dir: &Path, bytes: usize) -> Result<Self> {
        let pages = (bytes / page_size()) as u64;
        let mapped = Mapped::create(&dir.join("leased"), pages, Fill::Written)?;
        let lease = Device::open()?
            .lease(&mapped)
            .policy(Policy::Refuse)
            .grant(true)
            .acquire()?;
        // SAFETY: the mapping goes after the reader, and nothing refers to its memory.
        let reader = unsafe { Reader::new(source, mapped.address(0), mapped.length()) }?;
        Ok(Self {
            reader,
            _lease: lease,
            mapped,
        })
    }

    fn run(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            self.reader.read()?;
        }
        self.mapped.file().sync_data().context("fdatasync")
    }
}

/// What people do today.
struct Staging {
    // Dropped in this order.
    reader: Reader,
    file: File,
    memory: Anonymous,
}

impl Staging {
    /// `flags`: of the file.
    fn new(source: &Path, path: &Path, bytes: usize, flags: i32) -> Result<Self> {
        let memory = Anonymous::new(bytes)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        // SAFETY: the memory goes after the reader, and is only read while that does nothing.
        let reader = unsafe { Reader::new(source, memory.address(), bytes) }?;
        let mut staging = Self {
            reader,
            file,
            memory,
        };
        // The file has its blocks, as that of the others has.
        staging.run(1)?;
        Ok(staging)
    }

    fn run(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            self.reader.read()?;
            // SAFETY: the disk has read all, and is asked for nothing more before this is over.
            let bytes = unsafe { self.memory.bytes() };
            self.file.write_all_at(bytes, 0).context("pwrite")?;
        }
        self.file.sync_data().context("fdatasync")
    }
}
