// SPDX-License-Identifier: GPL-2.0
//! Sharing of extents: clone, dedupe, and copy where it clones.

use std::{fs::File, os::fd::AsRawFd};

use nix::errno::Errno;

use super::{super::clone::clone_range, other, Target};

pub(super) fn reflink_into(target: &Target<'_>) -> nix::Result<()> {
    clone(&other::open(target)?, target.file, target)
}

pub(super) fn reflink_from(target: &Target<'_>) -> nix::Result<()> {
    clone(target.file, &other::open(target)?, target)
}

pub(super) fn dedupe_into(target: &Target<'_>) -> nix::Result<()> {
    dedupe(&other::open(target)?, target.file, target)
}

pub(super) fn dedupe_from(target: &Target<'_>) -> nix::Result<()> {
    dedupe(target.file, &other::open(target)?, target)
}

pub(super) fn copy_into(target: &Target<'_>) -> nix::Result<()> {
    copy(&other::open(target)?, target.file, target)
}

pub(super) fn copy_from(target: &Target<'_>) -> nix::Result<()> {
    copy(target.file, &other::open(target)?, target)
}

fn clone(from: &File, to: &File, target: &Target<'_>) -> nix::Result<()> {
    clone_range(from, target.offset, target.length, to, target.offset)
}

/// `struct file_dedupe_range` of linux/fs.h with one destination.
#[repr(C)]
struct DedupeRange {
    src_offset: u64,
    src_length: u64,
    dest_count: u16,
    reserved1: u16,
    reserved2: u32,
    dest_fd: i64,
    dest_offset: u64,
    bytes_deduped: u64,
    status: i32,
    reserved: u32,
}

/// `FIDEDUPERANGE` of linux/fs.h: the number has the size without destinations.
const FIDEDUPERANGE: libc::Ioctl = nix::request_code_readwrite!(0x94, 54, 24);

/// `FIDEDUPERANGE`; that the contents differ is no error: a device may have
/// written meanwhile.
fn dedupe(from: &File, to: &File, target: &Target<'_>) -> nix::Result<()> {
    let mut argument = DedupeRange {
        src_offset: target.offset,
        src_length: target.length,
        dest_count: 1,
        reserved1: 0,
        reserved2: 0,
        dest_fd: to.as_raw_fd().into(),
        dest_offset: target.offset,
        bytes_deduped: 0,
        status: 0,
        reserved: 0,
    };
    // SAFETY: the command reads and writes one structure with one element,
    // which lives during the call.
    let result = unsafe { libc::ioctl(from.as_raw_fd(), FIDEDUPERANGE, &mut argument) };
    Errno::result(result)?;
    match argument.status {
        0.. => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}

fn copy(from: &File, to: &File, target: &Target<'_>) -> nix::Result<()> {
    let mut source = target.offset as i64;
    let mut destination = source;
    let end = source + target.length as i64;
    while source < end {
        let length = (end - source) as usize;
        let (source, destination) = (Some(&mut source), Some(&mut destination));
        if nix::fcntl::copy_file_range(from, source, to, destination, length)? == 0 {
            return Err(Errno::ENODATA);
        }
    }
    Ok(())
}
