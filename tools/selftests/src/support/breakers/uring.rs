// SPDX-License-Identifier: GPL-2.0
//! The same through io_uring(7), whose worker threads wait for the breaker.

use std::{
    ffi::CString,
    io::ErrorKind,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use io_uring::{opcode, squeue::Entry, types, IoUring};
use nix::{errno::Errno, fcntl::OFlag};

use super::{allocate::PUNCH, write::Buffer, Target};
use crate::support::expect::from_io;

pub(super) fn punch(target: &Target<'_>) -> nix::Result<()> {
    let fd = types::Fd(target.file.as_raw_fd());
    let entry = opcode::Fallocate::new(fd, target.length)
        .offset(target.offset)
        .mode(PUNCH);
    run(&entry.build()).map(drop)
}

pub(super) fn ftruncate(target: &Target<'_>) -> nix::Result<()> {
    let fd = types::Fd(target.file.as_raw_fd());
    run(&opcode::Ftruncate::new(fd, target.offset).build()).map(drop)
}

pub(super) fn open_truncating(target: &Target<'_>) -> nix::Result<()> {
    let path = CString::new(target.path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let entry = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), path.as_ptr())
        .flags(libc::O_RDWR | libc::O_TRUNC | libc::O_CLOEXEC | target.flags);
    let fd = run(&entry.build())?;
    // SAFETY: the kernel has just made this descriptor for us.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

pub(super) fn direct_write(target: &Target<'_>) -> nix::Result<()> {
    let file = target.open(OFlag::O_DIRECT)?;
    let mut buffer = Buffer::new(target.length);
    let fd = types::Fd(file.as_raw_fd());
    let entry =
        opcode::Write::new(fd, buffer.bytes().as_ptr(), target.length as u32).offset(target.offset);
    run(&entry.build()).map(drop)
}

/// Runs one request to its end.
fn run(entry: &Entry) -> nix::Result<i32> {
    let mut ring = from_io(IoUring::new(2))?;
    let mut queue = ring.submission();
    // SAFETY: what the entry points to outlives the request, which ends in
    // this function.
    let pushed = unsafe { queue.push(entry) };
    drop(queue);
    pushed.map_err(|_| Errno::EAGAIN)?;
    let completed = loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => {
                from_io(other)?;
            }
        }
        if let Some(completed) = ring.completion().next() {
            break completed.result();
        }
    };
    if completed < 0 {
        return Err(Errno::from_raw(-completed));
    }
    Ok(completed)
}
