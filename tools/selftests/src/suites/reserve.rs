// SPDX-License-Identifier: GPL-2.0
//! Writeback without free memory: every snapshot from the reserve, bios larger
//! than it, and more writers than it has elements.

use std::{path::Path, thread, time::Duration};

use anyhow::{ensure, Result};

use super::s02_tearing::{judge, judging_filesystem};
use crate::{
    harness::{Context, Test, TestResult},
    support::{modules, proc::snapshots_from_reserve, Fill, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("reserve.only", only).granted().seconds(300)];

/// Pages of the files, which are written at the same time: more than the
/// reserve has elements, and some with bios several times larger than one.
/// (Those of btrfs cannot be split, and do not use the reserve.)
const PAGES: [u64; 5] = [1024, 128, 1024, 128, 64];

/// Fsyncs of each writer.
const ROUNDS: u32 = 5;

/// Modules that are loaded with the reserve alone, and gone when dropped.
struct ReserveOnly;

impl ReserveOnly {
    fn load(context: &Context) -> Result<Self> {
        unload();
        modules::load_with(&context.modules, "pinlease", c"reserve_only=1")?;
        modules::load(&context.modules, "dmasim")?;
        Ok(Self)
    }
}

impl Drop for ReserveOnly {
    fn drop(&mut self) {
        unload();
    }
}

fn unload() {
    for name in ["dmasim", "pinlease"] {
        for _ in 0..100 {
            if !modules::is_loaded(name) || modules::unload(name).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn only(context: &Context) -> TestResult {
    let _loaded = ReserveOnly::load(context)?;
    let scratch = judging_filesystem(context)?;
    thread::scope(|scope| {
        let writers: Vec<_> = PAGES
            .into_iter()
            .enumerate()
            .map(|(writer, pages)| {
                let file = scratch.dir().join(format!("f{writer}"));
                scope.spawn(move || write_under_fire(context, &file, pages))
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer panicked"))
    })?;
    let used = snapshots_from_reserve()?;
    println!("{used} snapshots from the reserve");
    ensure!(used > 0, "the reserve was not used");
    let errors = judge(&scratch)?;
    ensure!(errors == 0, "{errors} checksum errors");
    Ok(())
}

fn write_under_fire(context: &Context, file: &Path, pages: u64) -> TestResult {
    let rig = RigOptions::new(context.side, pages, Fill::Written).build(file)?;
    rig.engine.start(1, Duration::ZERO)?;
    for round in 0..ROUNDS {
        let published = rig.engine.status()?.completed;
        rig.fsync()?;
        let found = rig.census(Requirement::AtLeast(published))?;
        ensure!(
            found.lost == 0 && found.torn == 0,
            "fsync {round}, generation {published}: {found}"
        );
    }
    rig.engine.stop()?;
    ensure!(rig.lease()?.query()?.errors == 0, "some snapshot failed");
    Ok(())
}
