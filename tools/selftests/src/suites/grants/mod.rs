// SPDX-License-Identifier: GPL-2.0
//! Pins that others make under leases with a grant.  That such pages are
//! durable, is what the scenarios show on the side `grant`.

mod breaking;
mod draining;
mod kills;
mod strict;

use std::time::Duration;

use anyhow::Result;
use nix::errno::Errno;
use pinlease::{Device, Lease, Policy};

use crate::{
    harness::{Context, Test},
    support::{expect::errno, page_size, Engine, Fill, Mapped, Window},
};

const PAGE: u64 = page_size() as u64;

/// Longer than any test looks.
const AGES: Duration = Duration::from_secs(50);

/// All that grants promise.
pub fn tests() -> Vec<Test> {
    [
        strict::TESTS,
        breaking::TESTS,
        draining::TESTS,
        kills::TESTS,
    ]
    .concat()
}

/// A file with large folios, where the filesystem has them.
fn file(context: &Context, pages: u64) -> Result<Mapped> {
    context.load_modules()?;
    Mapped::create(&context.path("grants"), pages, Fill::Written)
}

/// A lease with a grant of pages.
fn grant(mapped: &Mapped, pages: std::ops::Range<u64>, policy: Policy) -> Result<Lease> {
    let lease = Device::open()?
        .lease(mapped)
        .range(pages.start * PAGE, (pages.end - pages.start) * PAGE)
        .policy(policy)
        .grace(AGES)
        .grant(true)
        .acquire()?;
    Ok(lease)
}

/// A driver that knows nothing of pinlease pins a mapping.
fn pins(address: *const u8, pages: u64) -> nix::Result<Engine> {
    let engine = Engine::open().map_err(|_| Errno::ENODEV)?;
    engine.pin_raw(address, pages as usize * page_size(), true)?;
    Ok(engine)
}

/// The same, of pages of a file, through a mapping that has no others.
fn pins_pages(mapped: &Mapped, pages: std::ops::Range<u64>) -> Result<(Engine, Window)> {
    let count = pages.end - pages.start;
    let window = Window::new(
        mapped.file(),
        pages.start * PAGE,
        count as usize * page_size(),
    )?;
    Ok((pins(window.address(), count)?, window))
}

/// GUP must fail as without a lease.
fn refused(what: &str, address: *const u8, pages: u64) -> Result<()> {
    errno(what, pins(address, pages).map(drop), Errno::EFAULT)
}
