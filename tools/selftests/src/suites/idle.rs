// SPDX-License-Identifier: GPL-2.0
//! Idle is free: without a lease no hook is installed, and a lease whose device
//! does nothing writes nothing.

use std::{thread, time::Duration};

use anyhow::{ensure, Result};

use super::price::subject::{Subject, OVERHEAD, PAGE};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        proc::{hooked_functions, wait_for},
        slowness,
        sysctl::{hasty_flusher, Sysctl},
        Fill, RigOptions,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("idle.hooks", hooks),
    Test::new("idle.tick", |cx| writes(cx, false))
        .granted()
        .seconds(900),
    Test::new("idle.marked", |cx| writes(cx, true)).seconds(900),
];

/// Enough pages to tell them from the filesystem's own writes: 4 MiB.
const PAGES: u64 = 1024;

/// Hooks come with the first lease and go away after the last.
fn hooks(context: &Context) -> TestResult {
    context.load_modules()?;
    let none = || Ok(hooked_functions()?.is_empty());
    wait_for("no lease, no hook", Duration::from_secs(10), none)?;
    for _ in 0..2 {
        let options = RigOptions::new(context.side, 2, Fill::Faulted);
        let rig = options.build(&context.path("idle"))?;
        let hooked = hooked_functions()?;
        ensure!(!hooked.is_empty(), "a lease, but no hook is seen");
        drop(rig);
        let after = wait_for("no lease any more, no hook", Duration::from_secs(10), none)?;
        println!("{} hooks, gone after {after:?}", hooked.len());
    }
    Ok(())
}

/// The tick of this run, and how many of them to wait.
struct Ticks {
    length: Duration,
    count: u64,
    _guards: Option<[Sysctl; 2]>,
}

impl Ticks {
    /// In full, the tick is what the administrator set; for the quick check, 1 s.
    fn new(context: &Context) -> Result<Self> {
        if context.minutes == 0 {
            return Ok(Self {
                length: Duration::from_secs(1),
                count: 3,
                _guards: Some(hasty_flusher()?),
            });
        }
        let text = std::fs::read_to_string("/proc/sys/vm/dirty_expire_centisecs")?;
        let length = Duration::from_millis(text.trim().parse::<u64>()? * 10);
        Ok(Self {
            length,
            count: (context.minutes * 60 / length.as_secs().max(1)).max(2),
            _guards: None,
        })
    }

    /// Until what was written now is on the disk without anybody asking: it
    /// becomes dirty after a tick, and old after another one.
    fn flushed(&self) {
        thread::sleep(slowness::allow(self.length * 3));
    }
}

/// What the device wrote reaches the disk by the tick, once, and costs what it
/// wrote; while it is idle nothing is written.
fn writes(context: &Context, marked: bool) -> TestResult {
    context.load_modules()?;
    let ticks = Ticks::new(context)?;
    let idle = Subject::flushed(context, PAGES, Fill::Faulted, marked)?;
    let range = idle.bytes();
    ticks.flushed();
    let nothing = |what: &str| {
        let written = idle.cost(what, || {
            thread::sleep(ticks.length * ticks.count as u32);
            Ok(())
        })?;
        ensure!(
            written <= OVERHEAD,
            "{written} bytes in {} ticks of an idle device; the range has {range}",
            ticks.count
        );
        Ok(())
    };
    nothing("idle")?;

    let all = idle.cost("all, by the tick", || {
        idle.write(0..PAGES, 2)?;
        ticks.flushed();
        Ok(())
    })?;
    ensure!(
        all >= range,
        "the tick did not write all: without fsync, data never reaches the disk"
    );
    ensure!(
        all < 2 * range,
        "{all} bytes: more than once, for {range} that the device wrote once"
    );
    idle.holds(0..PAGES, 2)?;

    let one = idle.cost("one page, by the tick", || {
        idle.write(77..78, 3)?;
        ticks.flushed();
        Ok(())
    })?;
    ensure!(
        (PAGE..=PAGE + OVERHEAD).contains(&one),
        "{one} bytes for one page"
    );
    idle.holds(77..78, 3)?;
    nothing("idle again")
}
