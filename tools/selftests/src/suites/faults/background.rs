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

/// Pages of the first file.
const PAGES: u64 = 8;

/// Pages that each file has more than the one before: snapshots that are over are kept for the next
/// ones, which need no memory unless they are larger.
const MORE: u64 = 2;

/// The tick of another file, which may come just then, is a fault less; no more in a row.
const MISSES: u32 = 2;

/// How often, at most.
const MOST: u32 = 40;

/// What the device writes.
const GENERATION: u64 = 1;

pub fn tick(context: &Context) -> TestResult {
    context.load_modules()?;
    drop(Injector::open()?);
    let _hasty = hasty_flusher()?;
    let mut pages = PAGES;
    for kind in ["failslab", "fail_page_alloc"] {
        let (mut injected, mut missed) = (0, 0);
        let mut nth = 1;
        while missed < MISSES && nth <= MOST {
            pages += MORE;
            let options = RigOptions::new(context.side, pages, Fill::Faulted);
            let rig = options.build(&context.path("background"))?;
            match once(&rig, kind, nth, pages).with_context(|| format!("{kind} {nth}"))? {
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
fn once(rig: &Rig, kind: &'static str, nth: u32, pages: u64) -> Result<bool> {
    let lease = rig.lease()?;
    let before = lease.query()?;
    rig.engine.write_all(GENERATION)?;
    let fault = Anywhere::once(kind, nth)?;
    let written = || {
        let now = lease.query()?;
        let all = now.snapshots >= before.snapshots + pages;
        Ok(all || now.errors > before.errors || fault.happened()?)
    };
    wait_for("the tick comes", Duration::from_secs(30), written)?;
    thread::sleep(Duration::from_millis(100));
    let happened = fault.happened()?;
    drop(fault);
    // A fault delays the tick to the next one.
    let caught_up = || Ok(lease.query()?.snapshots >= before.snapshots + pages);
    wait_for("the next tick", Duration::from_secs(30), caught_up)?;
    // May tell once what failed.
    let _ = rig.fsync();
    rig.fsync().context("the second fsync")?;
    rig.census(Requirement::Exactly(GENERATION))?.all_kept()?;
    Ok(happened)
}
