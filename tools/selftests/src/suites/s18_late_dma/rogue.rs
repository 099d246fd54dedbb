// SPDX-License-Identifier: GPL-2.0
//! A driver that does not stop its device.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};

use super::hog::Successor;
use crate::{
    harness::{Context, TestResult},
    support::{
        edu::{Domain, EduRig, Edus, Fault, Passes, Revoked, TRANSFER},
        page_frame, page_size, residue, Census, DirectReader, KernelLog, Requirement, Stamp,
    },
};

const PAGES: u64 = 2;

/// A generation that no device writes.
const SENTINEL: u64 = 1 << 20;

/// An IOMMU says so within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What IOMMUs say that they have refused.
#[derive(Debug)]
pub struct Faults {
    log: KernelLog,
    seen: u64,
}

impl Faults {
    /// Begins to count.
    ///
    /// # Errors
    ///
    /// The kernel's log cannot be read.
    pub fn count() -> Result<Self> {
        Ok(Self {
            log: KernelLog::open()?,
            seen: 0,
        })
    }

    /// How many lines there were. The kernel does not log all of them.
    pub fn so_far(&mut self) -> u64 {
        let lines = self.log.messages();
        let faults = lines.iter().filter(|line| is_fault(line)).count();
        self.seen += faults as u64;
        self.seen
    }

    fn wait(&mut self) -> Result<u64> {
        let begin = Instant::now();
        while self.so_far() == 0 {
            ensure!(begin.elapsed() < PATIENCE, "the IOMMU refused nothing");
            thread::sleep(TRANSFER / 4);
        }
        Ok(self.seen)
    }
}

fn is_fault(line: &str) -> bool {
    line.contains("DMAR") && line.contains("fault addr")
}

/// With nothing to stop it, it writes to the file's page without anybody's leave.
pub fn direct(context: &Context) -> TestResult {
    lands(context, Domain::Passthrough, Fault::Rogue)
}

/// Nor does an IOMMU stop it if the driver does not unmap.
pub fn mapped(context: &Context) -> TestResult {
    lands(context, Domain::Strict, Fault::RogueMapped)
}

fn lands(context: &Context, domain: Domain, fault: Fault) -> TestResult {
    let _edus = Edus::rogue(context, domain)?;
    let (changed, _) = after_close(context, fault)?;
    ensure!(changed > 0, "the control shows no late write");
    residue::none_left()
}

/// Behind an IOMMU it writes nothing, and that is told.
pub fn strict(context: &Context) -> TestResult {
    let _edus = Edus::rogue(context, Domain::Strict)?;
    let mut faults = Faults::count()?;
    let (changed, disk) = after_close(context, Fault::Rogue)?;
    let refused = faults.wait()?;
    println!("{refused} accesses were refused");
    ensure!(
        changed == 0,
        "{changed} pages were written after the revoke"
    );
    disk.all_kept()?;
    residue::none_left()
}

/// Closes a lease while the device writes; returns how many pages of the file it
/// wrote after that, and what the disk has of what was there instead.
fn after_close(context: &Context, fault: Fault) -> Result<(usize, Census)> {
    let mut rig = EduRig::new(&context.path("rogue"), PAGES, fault)?;
    rig.edu.start(0, PAGES, 1, Passes::Counting)?;
    rig.edu.wait(1)?;
    rig.revoke(Revoked::Closed)?;
    rig.mapped.stamp_by_cpu(SENTINEL);
    rig.mapped.file().sync_all()?;
    for _ in 0..=PAGES {
        rig.edu.next_transfer()?;
    }
    let seen: Vec<_> = (0..PAGES)
        .map(|page| Stamp::read(&rig.mapped.load(page), page))
        .collect();
    let changed = seen.iter().filter(|&&seen| seen != Stamp::Whole(SENTINEL));
    let changed = changed.count();
    let mut disk = DirectReader::open(rig.mapped.path())?;
    let disk = disk.census(PAGES, Requirement::Exactly(SENTINEL))?;
    println!("in memory: {seen:?}; on the disk: {disk}");
    Ok((changed, disk))
}

/// With nothing to stop it, it writes to memory that is another process's by now.
pub fn direct_freed(context: &Context) -> TestResult {
    let _edus = Edus::rogue(context, Domain::Passthrough)?;
    let rig = EduRig::new(&context.path("freed"), PAGES, Fault::Rogue)?;
    rig.edu.write(0, PAGES, 1)?;
    let successor = freed(&rig)?;
    // Only now, so that it hits nothing but that process.
    rig.edu.write(0, PAGES, 2)?;
    let changed = successor.changed()?;
    println!("{changed} bytes of another process were changed");
    ensure!(
        changed >= page_size() as u64,
        "the control shows no late write"
    );
    rig.extend()?;
    drop(rig);
    residue::none_left()
}

/// Behind a strict IOMMU it does not.
pub fn strict_freed(context: &Context) -> TestResult {
    refused_freed(context, Domain::Strict)
}

/// Nor behind a lazy one, as the driver waits until it has forgotten the addresses.
pub fn lazy_freed(context: &Context) -> TestResult {
    refused_freed(context, Domain::Lazy)
}

fn refused_freed(context: &Context, domain: Domain) -> TestResult {
    let _edus = Edus::rogue(context, domain)?;
    let mut faults = Faults::count()?;
    let rig = EduRig::new(&context.path("freed"), PAGES, Fault::Rogue)?;
    rig.edu.start(0, PAGES, 1, Passes::Counting)?;
    rig.edu.wait(1)?;
    // It never pauses while its pages are taken away.
    let successor = freed(&rig)?;
    rig.extend()?;
    let refused = faults.wait()?;
    for _ in 0..3 {
        rig.edu.next_transfer()?;
    }
    let changed = successor.changed()?;
    println!("{refused} accesses were refused");
    ensure!(
        changed == 0,
        "{changed} bytes of another process were changed"
    );
    for page in 0..PAGES {
        let bytes = rig.mapped.load(page);
        ensure!(
            bytes.iter().all(|&byte| byte == 0),
            "page {page} of the file was written after the truncation"
        );
    }
    drop(rig);
    residue::none_left()
}

/// Another process truncates the file and gets its pages.
fn freed(rig: &EduRig) -> Result<Successor> {
    let frames = (0..PAGES)
        .map(|page| page_frame(rig.mapped.address(page)))
        .collect::<Result<Vec<_>>>()
        .context("frames of the file")?;
    Successor::of(rig.mapped.path().to_path_buf(), frames)
}
