// SPDX-License-Identifier: GPL-2.0
//! Idle is free: without a lease no hook is installed, and a lease whose
//! device does nothing costs at most one rewrite per tick, or none.

use std::{thread, time::Duration};

use anyhow::ensure;

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        page_size,
        proc::{hooked_functions, wait_for},
        sysctl::Sysctl,
        Fill, Layer, RigOptions, Scratch, WriteCounter,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("idle.hooks", hooks),
    Test::new("idle.tick", |cx| writes(cx, false)).seconds(900),
    Test::new("idle.marked", |cx| writes(cx, true)).seconds(900),
];

/// Enough pages to tell them from the filesystem's own writes.
const PAGES: u64 = 512;

/// What a filesystem may write for a rewrite of the range, and on its own
/// while nothing happens: superblock, log, timestamps.
const OVERHEAD: u64 = 512 << 10;

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

/// Counts what an idle lease writes.
fn writes(context: &Context, marked: bool) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    // In full, the tick is what the administrator set; for the quick check, 2 s.
    let (tick, ticks, _guard) = if context.minutes == 0 {
        let guard = Sysctl::set("vm.dirty_expire_centisecs", 200)?;
        (Duration::from_secs(2), 5, Some(guard))
    } else {
        let text = std::fs::read_to_string("/proc/sys/vm/dirty_expire_centisecs")?;
        let tick = Duration::from_millis(text.trim().parse::<u64>()? * 10);
        let ticks = context.minutes * 60 / tick.as_secs().max(1);
        (tick, ticks, None)
    };
    let mut options = RigOptions::new(context.side, PAGES, Fill::Written);
    if marked {
        options = options.marked();
    }
    let rig = options.build(&scratch.dir().join("f"))?;
    rig.engine.write_all(1)?;
    if marked {
        rig.lease()?.mark(0, PAGES * page_size() as u64)?;
    }
    rig.fsync()?;
    nix::unistd::sync();
    // The first ticks are for what the setup left.
    thread::sleep(tick * 2);

    let counter = WriteCounter::of(scratch.dir())?;
    thread::sleep(tick * ticks as u32);
    let written = counter.bytes()?;
    let range = PAGES * page_size() as u64;
    println!("{written} bytes in {ticks} ticks; the range has {range}");
    let allowed = if marked {
        OVERHEAD
    } else {
        // The interval may hold one tick more than its length says.
        (ticks + 1) * (range + OVERHEAD)
    };
    ensure!(written <= allowed, "{allowed} bytes are allowed");
    ensure!(
        marked || written >= range,
        "the tick wrote nothing: without fsync, data never reaches the disk"
    );
    Ok(())
}
