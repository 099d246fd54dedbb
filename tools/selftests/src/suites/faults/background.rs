// SPDX-License-Identifier: GPL-2.0
//! The tick and the flusher meet faults: what the device wrote reaches the disk by them, without an
//! fsync, or by the next fsync.

use std::{thread, time::Duration};

use anyhow::{ensure, Context as _, Result};

use super::injector::{Anywhere, Injector};
use crate::{
    harness::{Context, TestResult},
    support::{proc::wait_for, sysctl::hasty_flusher, Fill, Requirement, Rig, RigOptions},
};

const PAGES: u64 = 8;

/// The tick of another file, which may come just then, is a fault less; no more in a row.
const MISSES: u32 = 2;

/// How often, at most.
const MOST: u32 = 40;

pub fn tick(context: &Context) -> TestResult {
    context.load_modules()?;
    drop(Injector::open()?);
    let _hasty = hasty_flusher()?;
    let options = RigOptions::new(context.side, PAGES, Fill::Faulted);
    let rig = options.build(&context.path("background"))?;
    let mut generation = 0;
    for kind in ["failslab", "fail_page_alloc"] {
        let (mut injected, mut missed) = (0, 0);
        let mut nth = 1;
        while missed < MISSES && nth <= MOST {
            generation += 1;
            match once(&rig, kind, nth, generation).with_context(|| format!("{kind} {nth}"))? {
                true => (injected, missed) = (injected + 1, 0),
                false => missed += 1,
            }
            nth += 1;
        }
        println!("{kind}: {injected} faults");
        ensure!(injected > 0, "{kind}: no fault was injected");
    }
    Ok(())
}

/// The device writes; a fault meets the tick, the worker that writes back, or nobody.
fn once(rig: &Rig, kind: &'static str, nth: u32, generation: u64) -> Result<bool> {
    let lease = rig.lease()?;
    let before = lease.query()?;
    rig.engine.write_all(generation)?;
    let fault = Anywhere::once(kind, nth)?;
    let written = || {
        let now = lease.query()?;
        let all = now.snapshots >= before.snapshots + PAGES;
        Ok(all || now.errors > before.errors || fault.happened()?)
    };
    wait_for("the tick comes", Duration::from_secs(30), written)?;
    thread::sleep(Duration::from_millis(100));
    let happened = fault.happened()?;
    drop(fault);
    // A fault delays the tick to the next one.
    let caught_up = || Ok(lease.query()?.snapshots >= before.snapshots + PAGES);
    wait_for("the next tick", Duration::from_secs(30), caught_up)?;
    // May tell once what failed.
    let _ = rig.fsync();
    rig.fsync().context("the second fsync")?;
    rig.census(Requirement::Exactly(generation))?.all_kept()?;
    Ok(happened)
}
