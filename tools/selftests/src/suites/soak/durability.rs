// SPDX-License-Identifier: GPL-2.0
//! Asks for writeback of other processes' files, and checks nothing.

use std::{
    fs::{File, OpenOptions},
    os::fd::AsRawFd,
    time::Duration,
};

use anyhow::Context as _;
use nix::errno::Errno;

use super::{layout::DEVICES, tally::Count, Ground};
use crate::harness::TestResult;

/// Runs until the end.
pub fn run(ground: &Ground) -> TestResult {
    let mut random = ground.random(101);
    ground.wait_for_devices();
    let files = DEVICES
        .iter()
        .map(|device| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(device.path(ground))
        })
        .collect::<std::io::Result<Vec<File>>>();
    // Nothing to do when the soak ends before it has begun.
    let Ok(files) = files else { return Ok(()) };
    ground.until_stopped(|| {
        let file = &files[random.usize(..files.len())];
        match random.u8(..8) {
            0..=2 => file.sync_all().context("fsync")?,
            3..=4 => file.sync_data().context("fdatasync")?,
            5..=6 => write_range(file)?,
            _ => nix::unistd::sync(),
        }
        ground.tally.count(Count::Syncs);
        // The flusher is to find something.
        std::thread::sleep(Duration::from_millis(random.u64(..300)));
        Ok(())
    })
}

/// Writes what is dirty, without asking for durability.
fn write_range(file: &File) -> TestResult {
    let flags = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: the call takes no pointers.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) };
    Errno::result(result).context("sync_file_range")?;
    Ok(())
}
