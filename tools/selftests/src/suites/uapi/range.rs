// SPDX-License-Identifier: GPL-2.0
//! ACQUIRE: the range.

use std::time::Duration;

use anyhow::ensure;
use nix::errno::Errno;
use pinlease::{AcquireError, Device, Lease, PinOptions, Policy};

use super::common::setup;
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::{one_of, success},
        page_size,
        proc::{leases, wait_for},
        Mapped,
    },
};

const PAGE: u64 = page_size() as u64;

fn acquire(device: &Device, mapped: &Mapped, offset: u64, length: u64) -> nix::Result<Lease> {
    device
        .lease(mapped)
        .range(offset, length)
        .policy(Policy::Refuse)
        .acquire()
        .map_err(AcquireError::errno)
}

/// Ranges that are refused, and how others are rounded.
pub fn ranges(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let end = mapped.length() as u64;
    // An empty range beyond the end is both of two errors.
    let empty: &[Errno] = &[Errno::EINVAL, Errno::ENXIO];
    let refused: [(u64, u64, &[Errno]); 11] = [
        (1, PAGE, &[Errno::EINVAL]),
        (512, PAGE, &[Errno::EINVAL]),
        (PAGE - 1, 0, &[Errno::EINVAL]),
        (0, end + 1, &[Errno::ENXIO]),
        (0, end + PAGE, &[Errno::ENXIO]),
        (end, PAGE, &[Errno::ENXIO]),
        (end, 0, empty),
        (end + PAGE, 0, empty),
        (PAGE, u64::MAX, &[Errno::EINVAL]),
        (PAGE, u64::MAX - PAGE + 1, &[Errno::EINVAL]),
        (1 << 63, PAGE, &[Errno::EINVAL, Errno::ENXIO]),
    ];
    for (offset, length, expected) in refused {
        let what = format!("offset {offset}, length {length}");
        one_of(&what, acquire(&device, &mapped, offset, length), expected)?;
    }

    let granted = [
        (0, 0, (0, end)),
        (PAGE, 0, (PAGE, end - PAGE)),
        (0, 1, (0, PAGE)),
        (PAGE, PAGE + 1, (PAGE, 2 * PAGE)),
        (end - PAGE, PAGE, (end - PAGE, PAGE)),
    ];
    for (offset, length, expected) in granted {
        let what = format!("offset {offset}, length {length}");
        let lease = success(&what, acquire(&device, &mapped, offset, length))?;
        let query = lease.query()?;
        ensure!(
            (query.offset, query.length) == expected,
            "{what}: leased {}, {}",
            query.offset,
            query.length
        );
    }

    // A file that ends inside of a page is leased to the end of that page.
    mapped.file().set_len(end - PAGE / 2)?;
    let lease = success("odd end", acquire(&device, &mapped, 0, 0))?;
    ensure!(
        lease.query()?.length == end,
        "odd end: {:?}",
        lease.query()?
    );
    drop(lease);
    let freed = || Ok(mapped.file().set_len(0).is_ok());
    wait_for("the file is free again", Duration::from_secs(5), freed)?;
    one_of("empty file", acquire(&device, &mapped, 0, 0), empty)
}

/// Ranges may overlap; each lease has its own pins and its own end.
pub fn overlapping(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let first = acquire(&device, &mapped, 0, 3 * PAGE)?;
    let second = acquire(&device, &mapped, PAGE, 3 * PAGE)?;
    let options = PinOptions::default();
    let both = first.pin(mapped.address(1), 2 * page_size(), options)?;
    let pin = second.pin(mapped.address(1), 2 * page_size(), options)?;
    both.release()?;
    drop(first);
    let query = second.query()?;
    ensure!(
        (query.pins, query.pinned_bytes) == (1, 2 * PAGE),
        "the other lease's end took pins: {query:?}"
    );
    ensure!(
        !leases(&mapped)?.is_empty(),
        "the other lease's end took the lease"
    );
    Ok(pin.release()?)
}
