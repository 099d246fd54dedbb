// SPDX-License-Identifier: GPL-2.0
//! Scenario 1: the device writes after writeback has cleaned the page.
//!
//! Pin, DMA A, fsync, DMA B, fsync: the disk must say B.  The stock kernel
//! takes the page for clean at the second fsync, and the disk says A.

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{journal::What, Census, Fill, Journal, Mapped, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s01-after-clean.faulted", |cx| check(cx, Fill::Faulted)).granted(),
    Test::controlled("s01-after-clean.written", |cx| check(cx, Fill::Written)).granted(),
];

/// Runs the scenario and reads the disk.
///
/// # Errors
///
/// A step fails.
pub fn measure(context: &Context, fill: Fill, journal: &mut Journal) -> Result<Census> {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("s01"), context.pages, fill)?;
    journal.begin(&mapped, context.side);
    journal.look(&mapped);
    let rig = RigOptions::new(context.side, context.pages, fill).build_on(mapped)?;
    journal.device_writes(&rig, 1)?;
    journal.look(&rig.mapped);
    journal.span(What::Fsync, || rig.fsync())?;
    let first = journal.census(&rig.mapped, Requirement::Exactly(1))?;
    ensure!(
        first.lost == 0 && first.torn == 0,
        "even the first fsync did not write: {first}"
    );
    journal.device_writes(&rig, 2)?;
    journal.look(&rig.mapped);
    journal.span(What::Fsync, || rig.fsync())?;
    journal.census(&rig.mapped, Requirement::Exactly(2))
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let census = measure(context, fill, &mut Journal::closed())?;
    println!("{census}");
    match context.side {
        Side::Pinlease | Side::Grant => census.all_kept(),
        Side::Stock => {
            ensure!(
                census.lost == context.pages,
                "the control shows no loss: {census}"
            );
            Ok(())
        }
    }
}
