// SPDX-License-Identifier: GPL-2.0
//! What may conflict with a lease.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};

use super::{PAGE, PAGES};
use crate::support::{expect::from_io, page_size, Filesystem};

/// An operation on a byte range of a file; the path is for those that want a
/// descriptor of their own.
pub(super) struct Operation {
    pub name: &'static str,
    pub run: fn(&File, &Path, u64, u64) -> nix::Result<()>,
    /// It reaches from its range to the end of the file.
    pub to_the_end: bool,
    /// Where it exists.
    pub on: &'static [Filesystem],
}

const ALL: &[Filesystem] = &Filesystem::ALL;
const CLONING: &[Filesystem] = &[Filesystem::Xfs, Filesystem::Btrfs];
const SHIFTING: &[Filesystem] = &[Filesystem::Ext4, Filesystem::Xfs];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "ftruncate",
        run: |file, _, offset, _| from_io(file.set_len(offset)),
        to_the_end: true,
        on: ALL,
    },
    Operation {
        name: "truncate",
        run: |_, path, offset, _| nix::unistd::truncate(path, offset as i64),
        to_the_end: true,
        on: ALL,
    },
    Operation {
        name: "punch",
        run: |file, _, offset, length| {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            fallocate(file, flags, offset as i64, length as i64)
        },
        to_the_end: false,
        on: ALL,
    },
    Operation {
        name: "zero",
        run: |file, _, offset, length| {
            let flags = FallocateFlags::FALLOC_FL_ZERO_RANGE;
            fallocate(file, flags, offset as i64, length as i64)
        },
        to_the_end: false,
        on: ALL,
    },
    Operation {
        name: "collapse",
        run: |file, _, offset, length| {
            let flags = FallocateFlags::FALLOC_FL_COLLAPSE_RANGE;
            fallocate(file, flags, offset as i64, length as i64)
        },
        to_the_end: true,
        on: SHIFTING,
    },
    Operation {
        name: "insert",
        run: |file, _, offset, length| {
            let flags = FallocateFlags::FALLOC_FL_INSERT_RANGE;
            fallocate(file, flags, offset as i64, length as i64)
        },
        to_the_end: true,
        on: SHIFTING,
    },
    Operation {
        name: "reflink into",
        run: |file, path, offset, length| {
            let other = with_other(path)?;
            clone_range(&other, offset, length, file, offset)
        },
        to_the_end: false,
        on: CLONING,
    },
    Operation {
        name: "reflink from",
        run: |file, path, offset, length| {
            let other = with_other(path)?;
            clone_range(file, offset, length, &other, offset)
        },
        to_the_end: false,
        on: CLONING,
    },
    Operation {
        name: "O_DIRECT write",
        run: |_, path, offset, length| direct_write(path, offset, length),
        to_the_end: false,
        on: ALL,
    },
];

/// A second file to share blocks with.
fn with_other(path: &Path) -> nix::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let file = from_io(options.open(path.with_extension("other")))?;
    from_io(file.write_all_at(&vec![0x5a; (PAGES * PAGE) as usize], 0))?;
    Ok(file)
}

/// `FICLONERANGE`.
fn clone_range(from: &File, offset: u64, length: u64, to: &File, at: u64) -> nix::Result<()> {
    let argument = libc::file_clone_range {
        src_fd: from.as_raw_fd().into(),
        src_offset: offset,
        src_length: length,
        dest_offset: at,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    let result = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONERANGE, &argument) };
    Errno::result(result).map(drop)
}

fn direct_write(path: &Path, offset: u64, length: u64) -> nix::Result<()> {
    let mut options = OpenOptions::new();
    let file = from_io(options.write(true).custom_flags(libc::O_DIRECT).open(path))?;
    // Room to find an aligned part in.
    let mut buffer = vec![0x5a; (length + PAGE) as usize];
    let skip = buffer.as_ptr().align_offset(page_size());
    let aligned = &mut buffer[skip..skip + length as usize];
    from_io(file.write_all_at(aligned, offset))
}
