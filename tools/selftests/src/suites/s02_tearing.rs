// SPDX-License-Identifier: GPL-2.0
//! Scenario 2: the device rewrites its pages without pause while fsync loops.
//!
//! No layer may see a page change in flight.  btrfs is its own judge; under
//! ext4 and XFS dm-integrity is.  A copy that is taken while the device writes
//! is stable but not atomic: two generations in one page are no fault here.
//!
//! On the stock side the pages are touched before each fsync, as a program
//! does that stores into its buffer too; otherwise they would be lost after the
//! first fsync (scenario 1) instead of torn.

use std::time::Duration;

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{
        command, journal::What, Census, Filesystem, Fill, Journal, Layer, Mapped, Requirement, Rig,
        RigOptions, Scratch,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s02-tearing.faulted", |cx| check(cx, Fill::Faulted))
        .granted()
        .seconds(300),
    Test::controlled("s02-tearing.written", |cx| check(cx, Fill::Written))
        .granted()
        .seconds(300),
];

/// A new filesystem of the kind of [`Context::dir`], where tearing shows.
///
/// # Errors
///
/// It cannot be made.
pub fn judging_filesystem(context: &Context) -> Result<Scratch> {
    let filesystem = context.filesystem()?;
    let layer = match filesystem {
        Filesystem::Btrfs => Layer::Plain,
        Filesystem::Ext4 | Filesystem::Xfs => Layer::Integrity,
    };
    Scratch::new(context.device()?, filesystem, layer)
}

/// Runs the scenario; the census sums up the read-backs of all rounds.
///
/// # Errors
///
/// A step fails.
pub fn measure(context: &Context, fill: Fill, journal: &mut Journal) -> Result<Census> {
    context.load_modules()?;
    let scratch = judging_filesystem(context)?;
    let mapped = Mapped::create(&scratch.dir().join("s02"), context.pages, fill)?;
    journal.begin(&mapped, context.side);
    let rig = RigOptions::new(context.side, context.pages, fill).build_on(mapped)?;
    let mut census = fsyncs_noted(&rig, context.side, context.rounds, journal)?;
    // Held until here, so that the file is still there to be judged.
    let errors = judge(&scratch)?;
    if census.torn == 0 {
        // In the filesystem's own blocks, or found only now.
        census.torn = errors;
    }
    drop(rig.release()?);
    Ok(census)
}

/// `rounds` times: fsync under the running device, then read back.
///
/// # Errors
///
/// fsync fails or the file cannot be read.
pub fn fsyncs(rig: &Rig, side: Side, rounds: u64) -> Result<Census> {
    fsyncs_noted(rig, side, rounds, &mut Journal::closed())
}

fn fsyncs_noted(rig: &Rig, side: Side, rounds: u64, journal: &mut Journal) -> Result<Census> {
    let mut census = Census::default();
    rig.engine.start(1, Duration::ZERO)?;
    journal.device(rig)?;
    for _ in 0..rounds {
        let published = rig.engine.wait_passes(1)?.completed;
        if side == Side::Stock {
            rig.mapped.touch()?;
        }
        journal.device(rig)?;
        journal.span(What::Fsync, || rig.fsync())?;
        journal.device(rig)?;
        census.add(journal.census(&rig.mapped, Requirement::AtLeast(published))?);
        journal.device(rig)?;
    }
    rig.engine.stop()?;
    Ok(census)
}

/// Checksum errors that the whole filesystem and what is below it have.
///
/// # Errors
///
/// It does not tell.
pub fn judge(scratch: &Scratch) -> Result<u64> {
    let below = scratch.layer_errors()?;
    Ok(match scratch.filesystem() {
        Filesystem::Btrfs => below + scrub(scratch)?,
        Filesystem::Ext4 | Filesystem::Xfs => below,
    })
}

/// Reads all of a btrfs and returns its checksum errors.
fn scrub(scratch: &Scratch) -> Result<u64> {
    let dir = scratch.dir().to_string_lossy().into_owned();
    nix::unistd::sync();
    // Exit status 3: errors were found that cannot be corrected.
    let report = command::output_of("btrfs", &["scrub", "start", "-B", "-R", &dir], &[0, 3])?;
    command::number_after(&report, "csum_errors:")
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let census = measure(context, fill, &mut Journal::closed())?;
    println!("{} fsyncs: {census}", context.rounds);
    match context.side {
        Side::Pinlease | Side::Grant => census.all_kept(),
        Side::Stock => {
            ensure!(census.torn > 0, "the control shows no tearing: {census}");
            Ok(())
        }
    }
}
