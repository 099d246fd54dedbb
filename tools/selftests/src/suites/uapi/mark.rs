// SPDX-License-Identifier: GPL-2.0
//! MARK and QUERY.

use std::os::fd::AsFd;

use anyhow::ensure;
use nix::errno::Errno;
use pinlease::{issue, uapi, MarkError, PinOptions};

use super::common::{check_grown, check_sizes, lease, setup};
use crate::{
    harness::{Context, TestResult},
    support::{expect::errno, extended::with_size, page_size, Fill, Requirement, RigOptions},
};

const PAGE: u64 = page_size() as u64;

/// The size of QUERY's structure.
pub fn query_sizes(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    const FIRST_VERSION: usize = 72;
    let lease = lease(&device, &mapped)?;
    check_grown(lease, uapi::pinlease_query::default(), FIRST_VERSION)
}

/// What MARK refuses.
pub fn errors(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = device
        .lease(&mapped)
        .range(PAGE, 2 * PAGE)
        .policy(pinlease::Policy::Refuse)
        .acquire()?;
    let pin = lease.pin(
        mapped.address(1),
        2 * page_size(),
        PinOptions { marked: true },
    )?;
    let cases = [
        (PAGE, 0, Errno::EINVAL),
        (PAGE, u64::MAX, Errno::EINVAL),
        (0, PAGE, Errno::ENXIO),
        (PAGE - 1, 1, Errno::ENXIO),
        (PAGE, 2 * PAGE + 1, Errno::ENXIO),
        (3 * PAGE, 1, Errno::ENXIO),
    ];
    for (offset, length, expected) in cases {
        let result = lease.mark(offset, length).map_err(MarkError::errno);
        errno(
            &format!("offset {offset}, length {length}"),
            result,
            expected,
        )?;
    }
    for (offset, length) in [
        (PAGE, 1),
        (PAGE + 100, 5000),
        (3 * PAGE - 1, 1),
        (PAGE, 2 * PAGE),
    ] {
        lease.mark(offset, length)?;
    }
    let argument = with_size(uapi::pinlease_mark {
        offset: PAGE,
        length: PAGE,
        ..Default::default()
    });
    let mut wrong = argument;
    wrong.reserved = 1;
    errno("reserved", issue(lease.as_fd(), &mut wrong), Errno::EINVAL)?;
    check_sizes(&lease, argument)?;
    Ok(pin.release()?)
}

/// Of a marked pin, fsync writes what was marked and nothing else.
pub fn writes(context: &Context) -> TestResult {
    context.load_modules()?;
    let pages = context.pages;
    let rig = RigOptions::new(context.side, pages, Fill::Faulted)
        .marked()
        .build(&context.path("uapi"))?;
    rig.engine.write_all(1)?;
    rig.lease()?.mark(0, pages * PAGE)?;
    rig.fsync()?;
    rig.census(Requirement::Exactly(1))?.all_kept()?;

    rig.engine.write_all(2)?;
    rig.fsync()?;
    let unmarked = rig.census(Requirement::Exactly(2))?;
    ensure!(
        unmarked.kept == 0,
        "written although not marked: {unmarked}"
    );

    let half = pages / 2;
    // One byte is enough to have its page written.
    rig.lease()?.mark(1, half * PAGE - 1)?;
    rig.fsync()?;
    let marked = rig.census(Requirement::Exactly(2))?;
    ensure!(
        marked.kept == half && marked.torn == 0,
        "{half} pages were marked: {marked}"
    );
    Ok(())
}
