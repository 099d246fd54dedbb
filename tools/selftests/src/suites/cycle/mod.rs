// SPDX-License-Identifier: GPL-2.0
//! Load, lease, pin, write, fsync, close, unload, again and again: nothing is
//! left.

mod growth;
mod load;

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{
        modules,
        proc::{pins_taken_and_given, wait_for},
        Fill, Requirement, RigOptions,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("cycle.no-leak", growth::no_leak).seconds(1800),
    Test::new("cycle.under-load", load::under_load).seconds(7200),
];

fn round(context: &Context) -> TestResult {
    modules::ensure(&context.modules, Side::Pinlease)?;
    let options = RigOptions::new(Side::Pinlease, context.pages, Fill::Faulted);
    let rig = options.build(&context.path("cycle"))?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    rig.census(Requirement::Exactly(1))?.all_kept()?;
    // Without an unpin: closing must do.
    drop(rig);
    modules::unload_all()
}

/// Waits until every pin that was taken is given back.
fn balanced() -> Result<()> {
    let mut pins = (0, 0);
    let balanced = || {
        pins = pins_taken_and_given()?;
        Ok(pins.0 == pins.1)
    };
    let waited = wait_for("all pins are given back", Duration::from_secs(5), balanced);
    waited
        .with_context(|| format!("{} pins were taken, {} given back", pins.0, pins.1))
        .map(drop)
}
