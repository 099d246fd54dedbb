// SPDX-License-Identifier: GPL-2.0
//! Scenario 5: reclaim while pages are pinned and written.

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{sysctl::drop_caches, Census, Cgroup, DirectReader, Fill, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s05-reclaim.faulted", |cx| check(cx, Fill::Faulted)).granted(),
    Test::controlled("s05-reclaim.written", |cx| check(cx, Fill::Written)).granted(),
];

/// Rounds of reclaim.
const ROUNDS: u64 = 10;

/// Writes, reclaims, writes, …, without an fsync; unpins, reads the disk.
fn measure(context: &Context, fill: Fill) -> Result<Census> {
    context.load_modules()?;
    let cgroup = Cgroup::enter();
    if let Err(error) = &cgroup {
        println!("only drop_caches, no memory.reclaim: {error:#}");
    }
    let options = RigOptions::new(context.side, context.pages, fill);
    let rig = options.build(&context.path("s05"))?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    for generation in 2..2 + ROUNDS {
        rig.engine.write_all(generation)?;
        drop_caches()?;
        if let Ok(cgroup) = &cgroup {
            cgroup.reclaim();
        }
    }
    let mapped = rig.release()?;
    drop_caches()?;
    DirectReader::open(mapped.path())?.census(mapped.pages(), Requirement::Exactly(1 + ROUNDS))
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let census = measure(context, fill)?;
    println!("{census}");
    match context.side {
        Side::Pinlease | Side::Grant => census.all_kept(),
        Side::Stock => {
            ensure!(census.lost > 0, "the control shows no loss: {census}");
            Ok(())
        }
    }
}
