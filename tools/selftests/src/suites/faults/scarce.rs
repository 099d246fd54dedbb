// SPDX-License-Identifier: GPL-2.0
//! No page can be had for a snapshot: the reserve must carry all.

use std::time::Duration;

use anyhow::ensure;

use super::injector::{Anywhere, Injector};
use crate::{
    harness::{Context, TestResult},
    support::{proc::snapshots_from_reserve, Fill, Requirement, RigOptions},
};

const ROUNDS: u32 = 10;

pub fn no_pages(context: &Context) -> TestResult {
    context.load_modules()?;
    drop(Injector::open()?);
    let rig = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = rig.build(&context.path("scarce"))?;
    rig.engine.start(1, Duration::from_micros(200))?;
    let before = snapshots_from_reserve()?;
    for round in 0..ROUNDS {
        let published = rig.engine.wait_passes(1)?.completed;
        let fails = Anywhere::always("fail_page_alloc")?;
        let synced = rig.fsync();
        drop(fails);
        synced?;
        let found = rig.census(Requirement::AtLeast(published))?;
        ensure!(found.lost == 0 && found.torn == 0, "fsync {round}: {found}");
    }
    let used = snapshots_from_reserve()? - before;
    println!("{used} snapshots from the reserve");
    ensure!(used > 0, "the reserve was not used");
    rig.engine.stop()?;
    let errors = rig.lease()?.query()?.errors;
    ensure!(errors == 0, "{errors} snapshots failed");
    Ok(())
}
