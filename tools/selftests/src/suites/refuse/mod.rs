// SPDX-License-Identifier: GPL-2.0
//! Nothing detaches, moves or shares what lies under a lease: with policy
//! `refuse`, whoever tries gets ETXTBSY at once.  Everything else passes.

mod operations;

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    time::Duration,
};

use anyhow::{ensure, Result};
use nix::errno::Errno;
use operations::{Operation, OPERATIONS};
use pinlease::{Device, Lease, Policy};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
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

fn here(context: &Context) -> Result<impl Iterator<Item = &'static Operation>> {
    let filesystem = context.filesystem()?;
    Ok(OPERATIONS
        .iter()
        .filter(move |operation| operation.on.contains(&filesystem)))
}

fn unchanged(mapped: &Mapped) -> TestResult {
    ensure!(
        mapped.file().metadata()?.len() == PAGES * PAGE,
        "the file's size changed"
    );
    for page in 0..PAGES {
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
    for operation in here(context)? {
        for (first, pages) in ranges {
            for (file, age) in [(&before, "older"), (&after, "newer")] {
                let what = format!("{} of pages {first}+{pages}, {age} file", operation.name);
                let result = (operation.run)(file, mapped.path(), first * PAGE, pages * PAGE);
                errno(&what, result, Errno::ETXTBSY)?;
                unchanged(&mapped)?;
            }
        }
        if operation.to_the_end {
            let what = format!("{} before the lease", operation.name);
            let result = (operation.run)(&after, mapped.path(), 4 * PAGE, 4 * PAGE);
            errno(&what, result, Errno::ETXTBSY)?;
        }
    }
    let truncating = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(mapped.path());
    errno("O_TRUNC", from_io(truncating), Errno::ETXTBSY)?;
    // One byte of the lease's last page is enough.
    let cut = mapped.file().set_len((FIRST + LEASED) * PAGE - 1);
    errno("one byte", from_io(cut), Errno::ETXTBSY)?;
    unchanged(&mapped)?;
    // Only cloning leaves it.
    let _ = fs::remove_file(mapped.path().with_extension("other"));
    Ok(())
}

/// Operations beside the leased range pass, right up to its ends; but XFS,
/// where it shifts extents, throws out the block before them, too.
fn elsewhere(context: &Context) -> TestResult {
    let (mapped, before, _lease) = setup(context)?;
    let end = FIRST + LEASED;
    let run = |operation: &Operation, first: u64, pages: u64| {
        let what = format!("{} of pages {first}+{pages}", operation.name);
        success(
            &what,
            (operation.run)(&before, mapped.path(), first * PAGE, pages * PAGE),
        )
    };
    for operation in here(context)?.filter(|operation| !operation.to_the_end) {
        run(operation, 0, FIRST)?;
        run(operation, end, 8)?;
    }
    let before_shifted = u64::from(context.filesystem()? == Filesystem::Xfs);
    for operation in here(context)?.filter(|operation| operation.to_the_end) {
        mapped.file().set_len(2 * PAGES * PAGE)?;
        let shifts = ["collapse", "insert"].contains(&operation.name);
        let first = if shifts { end + before_shifted } else { end };
        run(operation, first, 8)?;
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
    for operation in here(context)? {
        let (mapped, before, lease) = setup(context)?;
        let run = || (operation.run)(&before, mapped.path(), 20 * PAGE, 4 * PAGE);
        errno(operation.name, run(), Errno::ETXTBSY)?;
        drop(lease);
        wait_for(operation.name, Duration::from_secs(5), || match run() {
            Ok(()) => Ok(true),
            Err(Errno::ETXTBSY) => Ok(false),
            Err(other) => Err(other.into()),
        })?;
    }
    Ok(())
}
