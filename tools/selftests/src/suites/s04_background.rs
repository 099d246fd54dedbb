// SPDX-License-Identifier: GPL-2.0
//! Scenario 4: no fsync at all, only the flusher.
//!
//! DMA A, wait for the flusher, DMA B, wait again, unpin, drop the caches: the
//! disk must say B.

use std::time::Duration;

use anyhow::{ensure, Result};
use pinlease::{Lease, Query};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{
        journal::What,
        page_size,
        sysctl::{drop_caches, hasty_flusher},
        Census, Fill, Journal, Mapped, Requirement, RigOptions, WriteCounter,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s04-background.faulted", |cx| check(cx, Fill::Faulted)).granted(),
    Test::controlled("s04-background.written", |cx| check(cx, Fill::Written)).granted(),
];

/// More than the flusher, made hasty, needs to find and write a dirty page,
/// and than one tick.
const FLUSHED: Duration = Duration::from_secs(5);

/// What the scenario shows.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Pages by their fate, after the unpin.
    pub census: Census,
    /// Bytes written to the disk between DMA B and the unpin.
    pub written: u64,
    /// What the lease tells before the unpin.
    pub query: Option<Query>,
}

/// Runs the scenario and reads the disk.
///
/// # Errors
///
/// A step fails.
pub fn measure(context: &Context, fill: Fill, journal: &mut Journal) -> Result<Measured> {
    context.load_modules()?;
    let _hasty = hasty_flusher()?;
    let mapped = Mapped::create(&context.path("s04"), context.pages, fill)?;
    journal.begin(&mapped, context.side);
    journal.look(&mapped);
    let rig = RigOptions::new(context.side, context.pages, fill).build_on(mapped)?;
    journal.device_writes(&rig, 1)?;
    journal.sleep(FLUSHED, &rig.mapped);

    let counter = WriteCounter::of(&context.dir)?;
    journal.device_writes(&rig, 2)?;
    journal.sleep(FLUSHED, &rig.mapped);
    let written = counter.bytes()?;
    let query = rig.lease().ok().map(Lease::query).transpose()?;

    let mapped = journal.span(What::Unpin, || rig.release())?;
    drop_caches()?;
    let census = journal.census(&mapped, Requirement::Exactly(2))?;
    Ok(Measured {
        census,
        written,
        query,
    })
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let measured = measure(context, fill, &mut Journal::closed())?;
    let Measured {
        census, written, ..
    } = measured;
    println!("{census}; {written} bytes written before the unpin");
    if let Some(query) = measured.query {
        println!("{} re-armed, {} snapshots", query.rearmed, query.snapshots);
    }
    match context.side {
        Side::Pinlease | Side::Grant => {
            // The unpin writes too; the flusher must have done it before.
            ensure!(
                written >= context.pages * page_size() as u64,
                "the flusher did not write the device's pages"
            );
            census.all_kept()
        }
        Side::Stock => {
            ensure!(census.lost > 0, "the control shows no loss: {census}");
            Ok(())
        }
    }
}
