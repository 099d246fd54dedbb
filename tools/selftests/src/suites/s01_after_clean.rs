// SPDX-License-Identifier: GPL-2.0
//! Scenario 1: the device writes after writeback has cleaned the page.
//!
//! Pin, DMA A, fsync, DMA B, fsync: the disk must say B.  The stock kernel
//! takes the page for clean at the second fsync, and the disk says A.

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{Census, Fill, Requirement, RigOptions},
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
pub fn measure(context: &Context, fill: Fill) -> Result<Census> {
    context.load_modules()?;
    let rig = RigOptions::new(context.side, context.pages, fill).build(&context.path("s01"))?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    let first = rig.census(Requirement::Exactly(1))?;
    ensure!(
        first.lost == 0 && first.torn == 0,
        "even the first fsync did not write: {first}"
    );
    rig.engine.write_all(2)?;
    rig.fsync()?;
    rig.census(Requirement::Exactly(2))
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let census = measure(context, fill)?;
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
