// SPDX-License-Identifier: GPL-2.0
//! The filesystem is full.
//!
//! ext4 and XFS write over their blocks in place, and XFS takes new ones for
//! those that are shared when it makes the page writable, which a pin does:
//! they need no space.  btrfs always does.

use std::{
    fs::{self, File},
    io::Write,
    os::fd::{AsFd, AsRawFd},
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};

use super::story::{Fsync, Ground};
use crate::{
    harness::{Context, Side, TestResult},
    support::Filesystem,
};

/// Fills the filesystem, fsyncs, makes room, fsyncs.
pub fn check(context: &Context) -> TestResult {
    let ground = Ground::new(context)?;
    let story = &ground.story;
    let filler = ground.scratch.dir().join("filler");
    fill(&File::create(&filler)?)?;
    let result = story.fsync(2, &[Errno::ENOSPC, Errno::EIO])?;
    if context.side != Side::Stock {
        let saves = context.filesystem()? != Filesystem::Btrfs;
        ensure!((result == Fsync::Saved) == saves, "{result:?}");
    }
    fs::remove_file(&filler)?;
    // btrfs has it free again after the next transaction, before which this tries in
    // vain once more, so that the next fsync may have to say so.
    nix::unistd::sync();
    story.ignore_fsync()?;
    story.is_saved(2)
}

/// Takes all space that is left.
fn fill(filler: &File) -> Result<()> {
    let (mut end, mut step) = (0, 64 << 20);
    while step >= 4096 {
        match fallocate(filler.as_fd(), FallocateFlags::empty(), end, step) {
            Ok(()) => end += step,
            Err(Errno::ENOSPC) => step /= 2,
            Err(other) => return Err(other).context("fallocate"),
        }
    }
    println!("filled with {} KiB", end / 1024);
    // What preallocation did not want.
    let mut tail = File::options()
        .append(true)
        .open(format!("/proc/self/fd/{}", filler.as_raw_fd()))?;
    while tail.write_all(&[0xa5; 4096]).is_ok() {}
    let _ = tail.sync_all();
    Ok(())
}
