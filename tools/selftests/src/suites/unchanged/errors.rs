// SPDX-License-Identifier: GPL-2.0
//! A write that failed is none: what it was to write has yet to be written.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context as _, Result};

use super::subject::Subject;
use crate::{
    harness::{Context, TestResult},
    support::{command::output, sysctl::idle_flusher, Fill, Layer, Scratch},
};

/// The two contents.
const A: u64 = 5;
const B: u64 = 6;

const PAGES: u64 = 16;

/// Name of the device.
const NAME: &str = "pinlease-failing";

/// A disk (device mapper) that fails when it is told to; dropping it removes it.
struct Failing {
    good: String,
    bad: String,
    path: PathBuf,
}

impl Failing {
    fn new(disk: &Path) -> Result<Self> {
        // What a killed test left.
        let _ = output("dmsetup", &["remove", NAME]);
        let sectors = File::open(disk)?.seek(SeekFrom::End(0))? / 512;
        let good = format!("0 {sectors} linear {} 0", disk.display());
        output("dmsetup", &["create", NAME, "--table", &good])?;
        let fields = ["info", "-c", "--noheadings", "-o", "blkdevname", NAME];
        Ok(Self {
            good,
            bad: format!("0 {sectors} error"),
            path: Path::new("/dev").join(output("dmsetup", &fields)?.trim()),
        })
    }

    fn fail(&self, fail: bool) -> Result<()> {
        let table = if fail { &self.bad } else { &self.good };
        output("dmsetup", &["load", NAME, "--table", table])?;
        // The filesystem is not to be frozen, which would make it durable.
        output("dmsetup", &["suspend", "--nolockfs", "--noflush", NAME])?;
        output("dmsetup", &["resume", NAME])?;
        Ok(())
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = output("dmsetup", &["remove", NAME]);
    }
}

/// B could not be written; then the disk is well again, and nothing changes.
pub fn failed_write(context: &Context) -> TestResult {
    context.load_modules()?;
    let _quiet = idle_flusher()?;
    let disk = Failing::new(context.device()?)?;
    let scratch = Scratch::new(&disk.path, context.filesystem()?, Layer::Plain)?;
    for fill in [Fill::Faulted, Fill::Written] {
        let path = scratch.dir().join("f");
        let subject = Subject::at(context.side, &path, PAGES, fill, false)?;
        for (before, failing) in [(A, B), (B, A)] {
            subject.write_durably(before)?;
            // So that the filesystem has nothing else to write.
            nix::unistd::sync();
            subject.write(failing)?;
            disk.fail(true)?;
            let result = subject.fsync();
            disk.fail(false)?;
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
