// SPDX-License-Identifier: GPL-2.0
//! Receives from a disk, a file or a pipe into a file's own memory, which is
//! registered with io_uring, and makes it durable piece by piece while it stays
//! registered.  Told that somebody needs the file, it gives it back.
//!
//! Without a lease, registering fails with EFAULT.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{Error as IoError, ErrorKind},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::Path,
    time::Duration,
};

use io_uring::{opcode, types::Fd, IoUring};
use pinlease::{map_shared, Device, EventKind, Lease, Policy, ReadError};

/// Bytes that are received at once, and then made durable.
const PIECE: usize = 1 << 20;

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
    let mut ring = IoUring::new(1)?;
    let buffer = libc::iovec {
        iov_base: memory.cast(),
        iov_len: length,
    };
    // SAFETY: nothing unmaps the memory, and nobody else uses it.
    unsafe { ring.submitter().register_buffers(&[buffer]) }?;

    let mut received = 0;
    while received < length {
        if let Some(who) = wanted(&lease)? {
            println!("{who} wants the file");
            break;
        }
        let piece = PIECE.min(length - received);
        let read = receive(&mut ring, &source, memory.wrapping_add(received), piece)?;
        if read == 0 {
            break;
        }
        received += read;
        // The kernel saw no write to the file, but this finds what came.
        file.sync_data()?;
        println!("{received} bytes are durable");
    }
    // Whoever waits goes on when the lease has ended and nothing is registered.
    ring.submitter().unregister_buffers()?;
    drop(lease);
    Ok(())
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

/// Who breaks the lease, if anybody does.
fn wanted(lease: &Lease) -> Result<Option<String>, ReadError> {
    let events = match lease.read_events() {
        Err(ReadError::WouldBlock) => return Ok(None),
        events => events?,
    };
    let mut breaks = events
        .into_iter()
        .filter(|event| matches!(event.kind, EventKind::Break { .. }));
    Ok(breaks.next().map(|event| event.comm))
}

/// Reads into registered memory; 0: there is no more.
fn receive(ring: &mut IoUring, from: &File, to: *mut u8, length: usize) -> Result<usize, IoError> {
    let length = u32::try_from(length).map_err(|_| ErrorKind::InvalidInput)?;
    // From the position that the open file has.
    let read = opcode::ReadFixed::new(Fd(from.as_raw_fd()), to, length, 0)
        .offset(u64::MAX)
        .build();
    // SAFETY: the memory is mapped as long as the program runs, and only raw
    // pointers lead to it.
    unsafe { ring.submission().push(&read) }.map_err(IoError::other)?;
    ring.submit_and_wait(1)?;
    let done = ring.completion().next().ok_or(ErrorKind::UnexpectedEof)?;
    usize::try_from(done.result()).map_err(|_| IoError::from_raw_os_error(-done.result()))
}
