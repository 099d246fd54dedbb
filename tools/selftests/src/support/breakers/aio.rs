// SPDX-License-Identifier: GPL-2.0
//! io_submit(2), which libc does not wrap.

use std::{os::fd::AsRawFd, ptr};

use nix::{errno::Errno, fcntl::OFlag};

use super::{write::Buffer, Target};

/// `IOCB_CMD_PWRITE` of linux/aio_abi.h.
const PWRITE: u16 = 1;

/// `struct iocb`, little-endian.
#[derive(Default)]
#[repr(C)]
struct Request {
    data: u64,
    key: u32,
    rw_flags: i32,
    opcode: u16,
    priority: i16,
    fd: u32,
    buffer: u64,
    length: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event`.
#[derive(Default)]
#[repr(C)]
struct Completion {
    data: u64,
    request: u64,
    result: i64,
    result2: i64,
}

/// An aio context.
struct Ring(usize);

impl Ring {
    fn new() -> nix::Result<Self> {
        let mut ring = Self(0);
        // SAFETY: the call writes one word, which lives during it.
        let result = unsafe { libc::syscall(libc::SYS_io_setup, 1, &raw mut ring.0) };
        Errno::result(result).map(|_| ring)
    }

    fn run(&self, request: &mut Request) -> nix::Result<i64> {
        let mut requests = [ptr::from_mut(request)];
        // SAFETY: the one request and its buffer live until its completion,
        // which is waited for.
        let submitted =
            unsafe { libc::syscall(libc::SYS_io_submit, self.0, 1, requests.as_mut_ptr()) };
        Errno::result(submitted)?;
        let mut completion = Completion::default();
        loop {
            // SAFETY: room for one completion, which lives during the call.
            let got = unsafe {
                libc::syscall(
                    libc::SYS_io_getevents,
                    self.0,
                    1,
                    1,
                    &raw mut completion,
                    ptr::null_mut::<libc::timespec>(),
                )
            };
            match Errno::result(got) {
                Ok(1) => return Ok(completion.result),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: nothing is under way: run() waits.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.0) };
    }
}

/// An O_DIRECT write by aio.
pub(super) fn direct(target: &Target<'_>) -> nix::Result<()> {
    let file = target.open(OFlag::O_DIRECT)?;
    let mut buffer = Buffer::new(target.length);
    let mut request = Request {
        opcode: PWRITE,
        fd: file.as_raw_fd() as u32,
        buffer: buffer.bytes().as_mut_ptr().addr() as u64,
        length: target.length,
        offset: target.offset as i64,
        ..Default::default()
    };
    match Ring::new()?.run(&mut request)? {
        0.. => Ok(()),
        error => Err(Errno::from_raw(-error as i32)),
    }
}

const _: () = assert!(size_of::<Request>() == 64);
const _: () = assert!(size_of::<Completion>() == 32);
