// SPDX-License-Identifier: GPL-2.0
//! Receives from a disk, a file or a pipe into a file's own memory, which is
//! registered with io_uring, and makes it durable piece by piece while it stays
//! registered.  Told that somebody needs the file, it gives it back.
//!
//! Without a lease, registering fails with EFAULT.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::Error as IoError,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::Path,
    time::Duration,
};

use io_uring::{opcode, squeue::Entry, types::Fd, IoUring};
use pinlease::{map_shared, Device, EventKind, Lease, Policy, ReadError};

/// Bytes that are received at once, and then made durable.
const PIECE: usize = 1 << 20;

/// What completions are of.
const READ: u64 = 1;
const LEASE: u64 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(source), Some(path), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: io-uring-receiver SOURCE FILE".into());
    };
    let source = open_source(source.as_ref())?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;

    let device = Device::open()?;
    let lease = device
        .lease(&file)
        .policy(Policy::Kill)
        .grace(Duration::from_secs(5))
        .grant(true)
        .acquire()?;
    lease.set_nonblocking(true)?;
    // All of the mapping has to be leased: no longer than the file.
    let memory = map_shared(&file, 0, length)?.as_ptr();
    let mut receiver = Receiver::new(source, lease, memory, length)?;

    let mut received = 0;
    while received < length && receiver.wanted.is_none() {
        let piece = PIECE.min(length - received);
        let read = receiver.receive(memory.wrapping_add(received), piece)?;
        if read == 0 {
            break;
        }
        received += read;
        // The kernel saw no write to the file, but this finds what came.
        file.sync_data()?;
        println!("{received} bytes are durable");
    }
    receiver.end()
}

/// Past the page cache where it can be, so that a disk writes the memory itself.
fn open_source(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_block_device() {
        options.custom_flags(libc::O_DIRECT);
    }
    options.open(path)
}

/// Reads into registered memory, and listens whether somebody needs it.
struct Receiver {
    ring: IoUring,
    source: File,
    lease: Lease,
    /// Who needs it.
    wanted: Option<String>,
}

impl Receiver {
    fn new(source: File, lease: Lease, memory: *mut u8, length: usize) -> Result<Self, IoError> {
        let mut receiver = Self {
            ring: IoUring::new(4)?,
            source,
            lease,
            wanted: None,
        };
        let buffer = libc::iovec {
            iov_base: memory.cast(),
            iov_len: length,
        };
        let submitter = receiver.ring.submitter();
        // SAFETY: nothing unmaps the memory, and only raw pointers lead to it.
        unsafe { submitter.register_buffers(&[buffer]) }?;
        receiver.listen()?;
        Ok(receiver)
    }

    fn push(&mut self, entry: &Entry) -> Result<(), IoError> {
        // SAFETY: what an entry points to is registered memory, and files that
        // live as long as the ring.
        unsafe { self.ring.submission().push(entry) }.map_err(IoError::other)
    }

    /// Has the lease's next event reported.
    fn listen(&mut self) -> Result<(), IoError> {
        let lease = Fd(self.lease.as_fd().as_raw_fd());
        let poll = opcode::PollAdd::new(lease, libc::POLLIN as u32);
        self.push(&poll.build().user_data(LEASE))
    }

    /// Reads from where the source is; 0: there is no more, or no time for it.
    fn receive(&mut self, to: *mut u8, length: usize) -> Result<usize, Box<dyn Error>> {
        let source = Fd(self.source.as_raw_fd());
        let read = opcode::ReadFixed::new(source, to, u32::try_from(length)?, 0).offset(u64::MAX);
        self.push(&read.build().user_data(READ))?;
        let mut read = None;
        while read.is_none() {
            self.ring.submit_and_wait(1)?;
            let done = self.ring.completion();
            let done: Vec<_> = done.map(|one| (one.user_data(), one.result())).collect();
            for (what, result) in done {
                match what {
                    READ => read = Some(result),
                    LEASE => self.look()?,
                    // That of the cancellation.
                    _ => {}
                }
            }
        }
        match read.unwrap_or_default() {
            error if error == -libc::ECANCELED => Ok(0),
            error if error < 0 => Err(IoError::from_raw_os_error(-error).into()),
            bytes => Ok(usize::try_from(bytes)?),
        }
    }

    /// There is an event of the lease.
    fn look(&mut self) -> Result<(), Box<dyn Error>> {
        let events = match self.lease.read_events() {
            Err(ReadError::WouldBlock) => Vec::new(),
            events => events?,
        };
        for event in events {
            if matches!(event.kind, EventKind::Break { .. }) {
                println!("{} wants {},{}", event.comm, event.offset, event.length);
                self.wanted = Some(event.comm);
            }
        }
        if self.wanted.is_some() {
            self.push(&opcode::AsyncCancel::new(READ).build())?;
        } else {
            self.listen()?;
        }
        Ok(())
    }

    /// Whoever waits goes on when the lease has ended and nothing is registered.
    fn end(self) -> Result<(), Box<dyn Error>> {
        self.ring.submitter().unregister_buffers()?;
        drop(self.lease);
        Ok(())
    }
}
