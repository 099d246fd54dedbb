// SPDX-License-Identifier: GPL-2.0
//! Bad exits: whatever a holder does in the middle of a break, no breaker hangs
//! and nothing is left.

mod copies;
mod death;
mod draining;
mod exec;
mod mapping;

use std::{path::Path, time::Duration};

use anyhow::{ensure, Context as _, Result};
use pinlease::{Device, Lease, PinOptions, Policy};

use crate::{
    harness::{Context, Test},
    support::{residue, Breaking, Broken, Fill, Mapped},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.exits-close", copies::close),
    Test::new("breaks.exits-fork", copies::fork),
    Test::new("breaks.exits-fork-killed", copies::fork_killed),
    Test::new("breaks.exits-passed", copies::passed),
    Test::new("breaks.exits-munmap", mapping::unmapped),
    Test::new("breaks.exits-mremap", mapping::moved),
    Test::new("breaks.exits-exec", exec::closes),
    Test::new("breaks.exits-exec-killed", exec::killed),
    Test::new("breaks.exits-exec-set-uid", exec::set_uid),
    Test::new("breaks.exits-another-user", exec::another_user),
    Test::new("breaks.exits-killed", death::killed),
    Test::new("breaks.exits-stuck", death::stuck),
    Test::new("breaks.exits-draining", draining::draining),
    Test::new("breaks.exits-unload", death::unload),
];

const PAGES: u64 = 8;
/// A breaker that should wait does so for as long.
const WHILE: Duration = Duration::from_millis(120);
/// A breaker that should not wait any more is back by then.
const LIMIT: Duration = Duration::from_secs(15);
/// Nobody waits for it.
const AGES: Duration = Duration::from_secs(60);
/// It is waited for.
const GRACE: Duration = Duration::from_millis(300);

fn file(context: &Context) -> Result<Mapped> {
    context.load_modules()?;
    Mapped::create(&context.path("exits"), PAGES, Fill::Faulted)
}

/// Leases and pins all of it, in the process that calls.
fn hold(mapped: &Mapped, policy: Policy, grace: Duration) -> Result<(Lease, u64)> {
    hold_by(&Device::open()?, mapped, policy, grace, true)
}

fn hold_by(
    device: &Device,
    mapped: &Mapped,
    policy: Policy,
    grace: Duration,
    cloexec: bool,
) -> Result<(Lease, u64)> {
    let lease = device
        .lease(mapped)
        .policy(policy)
        .grace(grace)
        .cloexec(cloexec)
        .acquire()?;
    let length = mapped.length();
    let pin = lease.pin(mapped.address(0), length, PinOptions::default())?;
    let pin = pin.into_id();
    Ok((lease, pin))
}

/// Begins to cut the file; asserts that it waits.
fn cut(path: &Path) -> Result<Breaking> {
    let breaking = Breaking::truncate(path, 0)?;
    waits(&breaking)?;
    Ok(breaking)
}

fn waits(breaking: &Breaking) -> Result<()> {
    ensure!(
        !breaking.has_ended(WHILE)?,
        "the breaker does not wait (any more)"
    );
    Ok(())
}

/// The breaker returns now, and nothing is left.
fn resumes(breaking: Breaking) -> Result<Broken> {
    let broken = breaking.end(LIMIT)?;
    broken.result().context("the breaker")?;
    residue::none_left()?;
    Ok(broken)
}
