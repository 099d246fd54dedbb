// SPDX-License-Identifier: GPL-2.0
//! Scenario 1 with real DMA: the device writes after writeback has cleaned the
//! page.

use anyhow::ensure;

use crate::{
    harness::{Context, Side, TestResult},
    support::{
        edu::{rig, Domain, Edu, Edus, Fault},
        DirectReader, Fill, Mapped, Requirement,
    },
};

/// Each takes the device two tenths of a second.
const PAGES: u64 = 4;

/// DMA, fsync, DMA, fsync: the second is on the disk, or lost without a lease.
pub fn check(context: &Context) -> TestResult {
    let _edus = Edus::usual(context, Domain::AsBooted, 1)?;
    let mapped = Mapped::create(&context.path("edu"), PAGES, Fill::Faulted)?;
    let edu = Edu::open()?;
    let lease = match context.side {
        Side::Stock => {
            edu.pin_raw(mapped.address(0), mapped.length())?;
            None
        }
        _ => Some(rig::lease(&mapped, &edu, 0..PAGES, Fault::None)?),
    };
    let mut disk = DirectReader::open(mapped.path())?;
    let mut census = Default::default();
    for generation in [1, 2] {
        edu.write(0, PAGES, generation)?;
        mapped.file().sync_all()?;
        census = disk.census(PAGES, Requirement::Exactly(generation))?;
        println!("generation {generation}: {census}");
        if generation == 1 {
            census.all_kept()?;
        }
    }
    drop(edu);
    drop(lease);
    match context.side {
        Side::Stock => {
            ensure!(census.lost == PAGES, "the control shows no loss: {census}");
            Ok(())
        }
        _ => census.all_kept(),
    }
}
