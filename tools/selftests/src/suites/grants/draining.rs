// SPDX-License-Identifier: GPL-2.0
//! Pins that outlive their lease keep it alive, and all that it promises.

use std::{thread, time::Duration};

use anyhow::ensure;
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};
use pinlease::{Policy, State};

use super::{file, grant, pins, pins_pages, AGES, PAGE};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        expect::one_of,
        modules,
        proc::wait_for,
        residue::{all_leases, none_left},
        sysctl::drop_caches,
        DirectReader, Mapped, Requirement,
    },
};

pub const TESTS: &[Test] = &[
    Test::new("grants.draining", draining),
    Test::new("grants.last-write", |cx| last_write(cx, true)),
    Test::new("grants.last-write-beside", beside),
    Test::new("grants.last-write-closed", |cx| last_write(cx, false)),
];

const PAGES: u64 = 64;

/// What is leased of the folio that somebody changes beside the lease.
const PART: u64 = 8;

fn census(mapped: &Mapped, generation: u64) -> TestResult {
    let requirement = Requirement::Exactly(generation);
    let census = DirectReader::open(mapped.path())?.census(PAGES, requirement)?;
    println!("{census}");
    census.all_kept()
}

/// The descriptor is closed, the driver has not let go.
fn draining(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let id = lease.query()?.id;
    let engine = pins(mapped.address(0), PAGES)?;
    engine.write_all(1)?;
    drop(lease);
    for generation in 2..5 {
        engine.write_all(generation)?;
        mapped.file().sync_all()?;
        census(&mapped, generation)?;
        drop_caches()?;
    }
    let leases = all_leases()?;
    let listed = leases.iter().any(|lease| {
        lease.id == id && lease.state == State::Draining && lease.granted_bytes == PAGES * PAGE
    });
    ensure!(listed, "{leases:?}");
    // dmasim uses pinlease; without a lease that drains, that alone holds it.
    one_of(
        "rmmod",
        modules::unload("pinlease"),
        &[Errno::EBUSY, Errno::EAGAIN],
    )?;
    engine.write_all(9)?;
    drop(engine);
    let ended = || Ok(all_leases()?.is_empty());
    wait_for("the lease ends", AGES, ended)?;
    drop_caches()?;
    census(&mapped, 9)
}

/// What the device wrote last, after the last writeback and just before the
/// driver let go, is not dropped with the clean page in which it is.
fn last_write(context: &Context, keep: bool) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let engine = pins(mapped.address(0), PAGES)?;
    engine.write_all(1)?;
    mapped.file().sync_all()?;
    engine.write_all(2)?;
    drop(engine);
    let lease = keep.then_some(lease);
    for _ in 0..3 {
        drop_caches()?;
        thread::sleep(Duration::from_millis(20));
    }
    if lease.is_some() {
        mapped.file().sync_all()?;
    }
    census(&mapped, 2)?;
    drop(lease);
    none_left()
}

/// Nor is it when somebody punches a hole beside the lease into the large folio
/// in which it is, which nobody pins any more.
fn beside(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PART, Policy::Refuse)?;
    let (engine, window) = pins_pages(&mapped, 0..PART)?;
    engine.write_all(1)?;
    mapped.file().sync_all()?;
    engine.write_all(2)?;
    drop((engine, window));
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(
        mapped.file(),
        flags,
        (PART * PAGE) as i64,
        (PART * PAGE) as i64,
    )?;
    drop_caches()?;
    mapped.file().sync_all()?;
    let mut reader = DirectReader::open(mapped.path())?;
    for page in 0..PART {
        reader.page(page, Requirement::Exactly(2))?.all_kept()?;
    }
    drop(lease);
    none_left()
}
