// SPDX-License-Identifier: GPL-2.0
//! Scenario 16: one pinned page of a large folio; split, compaction, and a hole
//! punched next to it.

use std::fs;

use anyhow::{bail, ensure, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        page_size, sysctl::drop_caches, DirectReader, Fill, Requirement, Rig, RigOptions, Stamp,
        WriteCounter,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s16-large-folio.alone", alone).granted(),
    Test::new("s16-large-folio.punch-beside", punch).granted(),
    Test::new("s16-large-folio.compact", compact).granted(),
];

/// Two folios of 2 MiB, where the filesystem makes such.
const PAGES: u64 = 1024;

/// The pinned page, in the middle of the first.
const PINNED: u64 = 261;

fn setup(context: &Context) -> Result<Rig> {
    context.load_modules()?;
    RigOptions::new(context.side, PAGES, Fill::Written)
        .pin(PINNED, 1)
        .build(&context.path("s16"))
}

/// The device writes, fsync; the disk has that, and everything else as it was.
fn write_and_check(rig: &Rig, generation: u64, untouched: impl Iterator<Item = u64>) -> TestResult {
    rig.engine.write_all(generation)?;
    only_pinned_changed(rig)?;
    let counter = WriteCounter::of(rig.mapped.path())?;
    rig.fsync()?;
    println!(
        "write amplification: {} bytes for a page of {}",
        counter.bytes()?,
        page_size()
    );
    let mut reader = DirectReader::open(rig.mapped.path())?;
    // The device counts its pages from 0.
    let stamp = reader.stamp(PINNED, 0)?;
    let memory = Stamp::read(&rig.mapped.load(PINNED), 0);
    ensure!(
        stamp == Stamp::Whole(generation),
        "not generation {generation}: the disk has {stamp:?}, the memory {memory:?}"
    );
    for page in untouched {
        reader.page(page, Requirement::Exactly(0))?.all_kept()?;
    }
    Ok(())
}

/// The device wrote into the pinned page, not into another one of its folio.
fn only_pinned_changed(rig: &Rig) -> TestResult {
    let changed: Vec<u64> = (0..PAGES)
        .filter(|&page| {
            let bytes = rig.mapped.load(page);
            // A hole, or as it was filled.
            Stamp::read(&bytes, page) != Stamp::Whole(0) && bytes.iter().any(|&byte| byte != 0)
        })
        .collect();
    ensure!(
        changed == [PINNED],
        "the device was to write page {PINNED}, changed are {changed:?}"
    );
    Ok(())
}

fn others() -> impl Iterator<Item = u64> {
    (0..PAGES)
        .step_by(17)
        .chain([PINNED - 1, PINNED + 1])
        .filter(|&page| page != PINNED)
}

fn alone(context: &Context) -> TestResult {
    let rig = setup(context)?;
    for generation in 1..=5 {
        write_and_check(&rig, generation, others())?;
    }
    let query = rig.lease()?.query()?;
    println!(
        "{} snapshot pages, {} re-armed folios",
        query.snapshots, query.rearmed
    );
    ensure!(query.errors == 0, "{} errors", query.errors);
    Ok(())
}

fn punch(context: &Context) -> TestResult {
    let rig = setup(context)?;
    write_and_check(&rig, 1, others())?;
    let mut holes = Vec::new();
    for (first, pages) in [(PINNED - 4, 4), (PINNED + 1, 8), (PAGES - 8, 8)] {
        rig.engine.write_all(2)?;
        let result = fallocate(
            rig.mapped.file(),
            FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
            (first * page_size() as u64) as i64,
            (pages * page_size() as u64) as i64,
        );
        let hole = rig.mapped.load(first);
        let empty = hole.iter().all(|&byte| byte == 0);
        match result {
            Ok(()) => {
                ensure!(empty, "the hole is not empty");
                holes.push((first, pages));
            }
            // A hole in the pinned page's own folio would throw the folio out
            // of the file.
            Err(Errno::ETXTBSY) => {
                ensure!(!empty, "refused, but punched");
                ensure!(first + pages != PAGES, "refused far from the pinned page");
                println!("pages {first}+{pages} are of the pinned folio: refused");
            }
            Err(error) => bail!("punching: {error}"),
        }
    }
    let in_hole = |page: &u64| {
        holes
            .iter()
            .any(|&(first, pages)| (first..first + pages).contains(page))
    };
    for generation in 3..=6 {
        write_and_check(&rig, generation, others().filter(|page| !in_hole(page)))?;
    }
    // What the device wrote is what the memory shows, too: not detached.
    let stamp = Stamp::read(&rig.mapped.load(PINNED), 0);
    ensure!(stamp == Stamp::Whole(6), "the memory has {stamp:?}");
    Ok(())
}

fn compact(context: &Context) -> TestResult {
    let rig = setup(context)?;
    for generation in 1..=3 {
        drop_caches()?;
        fs::write("/proc/sys/vm/compact_memory", "1")?;
        write_and_check(&rig, generation, others())?;
    }
    Ok(())
}
