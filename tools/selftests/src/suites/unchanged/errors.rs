// SPDX-License-Identifier: GPL-2.0
//! A write that failed is none: what it was to write has yet to be written.

use anyhow::{ensure, Context as _};

use super::subject::Subject;
use crate::{
    harness::{Context, TestResult},
    support::{sysctl::idle_flusher, FaultyDisk, Fill, Layer, Scratch},
};

/// The two contents.
const A: u64 = 5;
const B: u64 = 6;

const PAGES: u64 = 16;

/// B could not be written; then the disk is well again, and nothing changes.
pub fn failed_write(context: &Context) -> TestResult {
    context.load_modules()?;
    let _quiet = idle_flusher()?;
    let disk = FaultyDisk::over(context.device()?)?;
    let scratch = Scratch::new(disk.path(), context.filesystem()?, Layer::Plain)?;
    for fill in [Fill::Faulted, Fill::Written] {
        let path = scratch.dir().join("f");
        let subject = Subject::at(context.side, &path, PAGES, fill, false)?;
        for (before, failing) in [(A, B), (B, A)] {
            subject.write_durably(before)?;
            // So that the filesystem has nothing else to write.
            nix::unistd::sync();
            subject.write(failing)?;
            disk.fail()?;
            let result = subject.fsync();
            disk.heal()?;
            ensure!(result.is_err(), "fsync succeeded on a disk that fails");
            subject
                .fsync()
                .context("fsync when the disk is well again")?;
            subject.holds(failing)?;
            subject.write_durably(before)?;
        }
    }
    Ok(())
}
