// SPDX-License-Identifier: GPL-2.0
//! Who asks for the durability of a part pays for that part.

use std::{
    fs::OpenOptions,
    os::{fd::AsRawFd, unix::fs::FileExt, unix::fs::OpenOptionsExt},
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::subject::{allowed, Subject, OVERHEAD, PAGE};
use crate::{
    harness::{Context, TestResult},
    support::{page_size, stamp, Fill},
};

const PAGES: u64 = 4096;

/// Asserts that `written` is about `bytes`, which lie together.
fn about(written: u64, bytes: u64, fill: Fill) -> Result<()> {
    let most = allowed(fill, bytes);
    ensure!(
        (bytes..=most).contains(&written),
        "{written} bytes were written, at least {bytes} and at most {most} are expected"
    );
    Ok(())
}

/// The device wrote all, msync(2) asks for an eighth; then fsync for the rest.
pub fn msync_part(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let subject = Subject::new(context, PAGES, fill, false)?;
        subject.write(0..PAGES, 2)?;
        let part = PAGES / 4..PAGES / 4 + PAGES / 8;
        let bytes = PAGES / 8 * PAGE;
        let written = subject.cost("msync of an eighth", || {
            let synced = subject.rig.mapped.msync(part.start, PAGES / 8);
            synced.context("msync")
        })?;
        about(written, bytes, fill)?;
        subject.holds(part, 2)?;
        let rest = subject.fsync("fsync of the rest")?;
        ensure!(
            written + rest >= subject.bytes(),
            "{rest} bytes for the rest"
        );
        subject.holds(0..PAGES, 2)?;
    }
    Ok(())
}

/// A write(2) with O_DSYNC is durable when it returns, and what the device wrote
/// into its pages; not the rest.
pub fn o_dsync(context: &Context) -> TestResult {
    const WRITTEN: u64 = 700;
    let subject = Subject::new(context, PAGES, Fill::Faulted, false)?;
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DSYNC)
        .open(subject.rig.mapped.path())?;
    subject.write(0..PAGES, 2)?;
    let mut page = vec![0; page_size()];
    stamp(&mut page, WRITTEN, 3);
    let written = subject.cost("a page by O_DSYNC", || {
        file.write_all_at(&page, WRITTEN * PAGE).context("write")
    })?;
    about(written, PAGE, Fill::Faulted)?;
    subject.holds(WRITTEN..WRITTEN + 1, 3)?;
    let rest = subject.fsync("fsync of the rest")?;
    ensure!(rest >= subject.bytes() - PAGE, "{rest} bytes for the rest");
    subject.holds(0..WRITTEN, 2)?;
    subject.holds(WRITTEN + 1..PAGES, 2)
}

/// sync_file_range(2) asks for no durability: it writes what is dirty, which of
/// an idle CPU's pages is nothing, and spares the next fsync nothing.
pub fn sync_file_range(context: &Context) -> TestResult {
    let subject = Subject::new(context, PAGES, Fill::Faulted, false)?;
    subject.write(0..PAGES, 2)?;
    let written = subject.cost("sync_file_range", || {
        let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let file = subject.rig.mapped.file().as_raw_fd();
        // SAFETY: the file is open; the call takes no memory.
        let result = unsafe { libc::sync_file_range(file, 0, subject.bytes() as i64, flags) };
        Errno::result(result).context("sync_file_range")?;
        Ok(())
    })?;
    ensure!(written <= OVERHEAD, "{written} bytes were dirty");
    let rest = subject.fsync("fsync")?;
    ensure!(rest >= subject.bytes(), "only {rest} bytes were written");
    subject.holds(0..PAGES, 2)
}
