// SPDX-License-Identifier: GPL-2.0
//! Nothing detaches, moves or shares what lies under a lease: with policy
//! `refuse`, whoever tries gets ETXTBSY at once.  Everything else passes.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use anyhow::{ensure, Result};
use nix::errno::Errno;
use pinlease::{Device, Lease, Policy};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        breakers::{remove_other, Breaker, Reach, Target, WhenRefused},
        expect::{errno, from_io, success},
        page_size,
        proc::wait_for,
        Filesystem, Fill, Mapped, Stamp,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("refuse.overlapping", overlapping),
    Test::new("refuse.elsewhere", elsewhere),
    Test::new("refuse.ordinary-access", ordinary_access),
    Test::new("refuse.after-close", after_close),
];

const PAGE: u64 = page_size() as u64;

/// The file has this many pages, …
const PAGES: u64 = 64;
/// … of which these are leased.
const FIRST: u64 = 16;
const LEASED: u64 = 16;

/// A file with a lease in its middle.
fn setup(context: &Context) -> Result<(Mapped, File, Lease)> {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("refuse"), PAGES, Fill::Written)?;
    let before = OpenOptions::new()
        .read(true)
        .write(true)
        .open(mapped.path())?;
    let lease = lease(&mapped)?;
    Ok((mapped, before, lease))
}

fn lease(mapped: &Mapped) -> Result<Lease> {
    Ok(Device::open()?
        .lease(mapped)
        .range(FIRST * PAGE, LEASED * PAGE)
        .policy(Policy::Refuse)
        .acquire()?)
}

/// The breakers of this filesystem and kernel.
fn here(context: &Context) -> Result<Vec<&'static Breaker>> {
    let mut here = Vec::new();
    let filesystem = context.filesystem()?;
    for breaker in Breaker::on(filesystem) {
        // The files of this suite are ordinary ones.
        if breaker.in_place && filesystem == Filesystem::Btrfs {
            continue;
        }
        if breaker.exists(&context.dir)? {
            here.push(breaker);
        } else {
            println!("{}: not here", breaker.name);
        }
    }
    Ok(here)
}

/// Runs `breaker` on these pages.
fn run(breaker: &Breaker, file: &File, path: &Path, first: u64, pages: u64) -> nix::Result<()> {
    (breaker.run)(&Target {
        file,
        path,
        flags: 0,
        offset: first * PAGE,
        length: pages * PAGE,
    })
}

/// Asserts that it was refused.
fn refused(what: &str, breaker: &Breaker, result: nix::Result<()>) -> TestResult {
    match breaker.refused {
        WhenRefused::Fails => errno(what, result, Errno::ETXTBSY),
        WhenRefused::FallsBack => success(what, result),
    }
}

fn unchanged(mapped: &Mapped) -> TestResult {
    ensure!(
        mapped.file().metadata()?.len() == PAGES * PAGE,
        "the file's size changed"
    );
    // The first page holds the header of swapon's file.
    for page in 1..PAGES {
        let stamp = Stamp::read(&mapped.load(page), page);
        ensure!(stamp == Stamp::Whole(0), "page {page} changed: {stamp:?}");
    }
    Ok(())
}

/// Operations on the leased range, by descriptors older and newer than the
/// lease.
fn overlapping(context: &Context) -> TestResult {
    let (mapped, before, _lease) = setup(context)?;
    let after = OpenOptions::new()
        .read(true)
        .write(true)
        .open(mapped.path())?;
    // Inside, across the begin, across the end, around.
    let ranges = [
        (20, 4),
        (FIRST - 2, 4),
        (FIRST + LEASED - 2, 4),
        (FIRST - 4, LEASED + 8),
    ];
    for breaker in here(context)? {
        breaker.prepare(mapped.path())?;
        for (first, pages) in ranges {
            for (file, age) in [(&before, "older"), (&after, "newer")] {
                let what = format!("{} of pages {first}+{pages}, {age} file", breaker.name);
                let result = run(breaker, file, mapped.path(), first, pages);
                refused(&what, breaker, result)?;
                unchanged(&mapped)?;
            }
        }
        if breaker.to_the_end() {
            let what = format!("{} before the lease", breaker.name);
            let result = run(breaker, &after, mapped.path(), 4, 4);
            refused(&what, breaker, result)?;
        }
        remove_other(mapped.path());
    }
    // One byte of the lease's last page is enough.
    let cut = mapped.file().set_len((FIRST + LEASED) * PAGE - 1);
    errno("one byte", from_io(cut), Errno::ETXTBSY)?;
    unchanged(&mapped)
}

/// Operations beside the leased range pass, right up to its ends; but XFS,
/// where it shifts extents, throws out the block before them, too.
fn elsewhere(context: &Context) -> TestResult {
    let (mapped, before, _lease) = setup(context)?;
    let filesystem = context.filesystem()?;
    let end = FIRST + LEASED;
    let beside = |breaker: &Breaker, first: u64, pages: u64| {
        let what = format!("{} of pages {first}+{pages}", breaker.name);
        breaker.prepare(mapped.path())?;
        let result = run(breaker, &before, mapped.path(), first, pages);
        remove_other(mapped.path());
        success(&what, result)
    };
    for breaker in here(context)? {
        match breaker.reach {
            Reach::Range => {
                beside(breaker, 0, FIRST)?;
                beside(breaker, end, 8)?;
            }
            Reach::ToEnd | Reach::Shifted => {
                mapped.file().set_len(2 * PAGES * PAGE)?;
                let touched = breaker.touches(filesystem, end * PAGE, PAGE, u64::MAX);
                let reaches_back = end - touched.start / PAGE;
                beside(breaker, end + reaches_back, 8)?;
            }
            // It has no beside.
            Reach::File => {}
        }
    }
    for page in FIRST..end {
        let stamp = Stamp::read(&mapped.load(page), page);
        ensure!(stamp == Stamp::Whole(0), "page {page} changed: {stamp:?}");
    }
    Ok(())
}

/// Reading, writing through the page cache, storing, and extending pass.
fn ordinary_access(context: &Context) -> TestResult {
    let (mapped, before, _lease) = setup(context)?;
    let inside = FIRST * PAGE;
    let mut buffer = vec![0; page_size()];
    success("read", from_io(before.read_exact_at(&mut buffer, inside)))?;
    ensure!(
        Stamp::read(&buffer, FIRST) == Stamp::Whole(0),
        "read other bytes"
    );
    buffer.fill(0xa5);
    success("write(2)", from_io(before.write_all_at(&buffer, inside)))?;
    ensure!(
        mapped.load(FIRST) == buffer,
        "what was written is not there"
    );
    mapped.stamp_by_cpu(3);
    ensure!(
        Stamp::read(&mapped.load(FIRST), FIRST) == Stamp::Whole(3),
        "what was stored is not there"
    );
    success("extending", from_io(before.set_len(2 * PAGES * PAGE)))?;
    success("fsync", from_io(before.sync_all()))?;
    let whole = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(mapped.path());
    success("open with O_DIRECT", from_io(whole)).map(drop)
}

/// The lease's end ends all refusals.
fn after_close(context: &Context) -> TestResult {
    for breaker in here(context)? {
        let (mapped, before, lease) = setup(context)?;
        breaker.prepare(mapped.path())?;
        let attempt = || run(breaker, &before, mapped.path(), 20, 4);
        refused(breaker.name, breaker, attempt())?;
        drop(lease);
        wait_for(breaker.name, Duration::from_secs(5), || match attempt() {
            Ok(()) => Ok(true),
            Err(Errno::ETXTBSY) => Ok(false),
            Err(other) => Err(other.into()),
        })?;
        remove_other(mapped.path());
    }
    Ok(())
}
