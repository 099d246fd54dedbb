// SPDX-License-Identifier: GPL-2.0
//! Many fsyncs under a device that never pauses.  In full, `--rounds 1000`.

use std::time::Duration;

use anyhow::{ensure, Context as _};

use super::s02_tearing::{judge, judging_filesystem};
use crate::{
    harness::{Context, Test, TestResult},
    support::{Census, Fill, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("fsyncs.faulted", |cx| check(cx, Fill::Faulted))
        .granted()
        .seconds(1800),
    Test::new("fsyncs.written", |cx| check(cx, Fill::Written))
        .granted()
        .seconds(1800),
];

/// The file has this many times the usual pages; more than one large folio.
const FACTOR: u64 = 4;

/// Fsyncs between two read-backs.
const EVERY: u64 = 10;

fn check(context: &Context, fill: Fill) -> TestResult {
    context.load_modules()?;
    let scratch = judging_filesystem(context)?;
    let options = RigOptions::new(context.side, context.pages * FACTOR, fill);
    let rig = options.build(&scratch.dir().join("f"))?;
    rig.engine.start(1, Duration::ZERO)?;
    let mut census = Census::default();
    for round in 1..=context.rounds {
        let published = rig.engine.status()?.completed;
        if round % 2 == 0 {
            rig.mapped.file().sync_data().context("fdatasync")?;
        } else {
            rig.fsync()?;
        }
        if round % EVERY == 0 || round == context.rounds {
            let found = rig.census(Requirement::AtLeast(published))?;
            ensure!(
                found.lost == 0 && found.torn == 0,
                "fsync {round}, generation {published}: {found}"
            );
            census.add(found);
        }
    }
    let status = rig.engine.status()?;
    rig.engine.stop()?;
    let errors = judge(&scratch)?;
    let query = rig.lease()?.query()?;
    println!(
        "{} fsyncs, {} passes of the device, {census}, {errors} checksum errors, \
         {} snapshots, {} re-armed",
        context.rounds, status.passes, query.snapshots, query.rearmed
    );
    ensure!(
        status.passes > context.rounds,
        "the device was slower than fsync"
    );
    ensure!(errors == 0, "{errors} checksum errors");
    ensure!(
        query.errors == 0,
        "{} failed re-arms or snapshots",
        query.errors
    );
    census.all_kept()
}
