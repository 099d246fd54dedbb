// SPDX-License-Identifier: GPL-2.0
//! Writes past the page cache.

use nix::{errno::Errno, fcntl::OFlag, sys::uio::pwrite};

use super::{Target, PAGE};
use crate::support::page_size;

pub(super) fn direct(target: &Target<'_>) -> nix::Result<()> {
    let file = target.open(OFlag::O_DIRECT)?;
    let mut buffer = Buffer::new(target.length);
    match pwrite(&file, buffer.bytes(), target.offset as i64)? {
        written if written as u64 == target.length => Ok(()),
        _ => Err(Errno::EIO),
    }
}

/// Memory aligned for O_DIRECT.
pub(super) struct Buffer {
    room: Vec<u8>,
    skip: usize,
    length: usize,
}

impl Buffer {
    pub(super) fn new(length: u64) -> Self {
        let room = vec![0x5a; (length + PAGE) as usize];
        Self {
            skip: room.as_ptr().align_offset(page_size()),
            length: length as usize,
            room,
        }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.room[self.skip..][..self.length]
    }
}
