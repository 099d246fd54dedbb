// SPDX-License-Identifier: GPL-2.0
//! Load, lease, pin, write, fsync, close, unload, again and again: nothing is
//! left.

use std::{fs, time::Duration};

use anyhow::{ensure, Context as _, Result};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{
        modules,
        proc::{counter, hooked_functions, wait_for},
        sysctl::drop_caches,
        Fill, Requirement, RigOptions,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("cycle.no-leak", no_leak).seconds(1800)];

/// Rounds before the first measurement: caches of the kernel fill up.
const WARM_UP: u64 = 3;

/// Bytes that the kernel may use more after a round, on average, and in sum.
const PER_ROUND: u64 = 4 << 10;
const IN_SUM: u64 = 2 << 20;

/// How often memory may grow by chance.
const ATTEMPTS: u32 = 3;

/// Kernel memory that a leak would show up in.
#[derive(Debug)]
struct Usage {
    slab: u64,
    vmalloc: u64,
    percpu: u64,
    available: u64,
}

impl Usage {
    fn now() -> Result<Self> {
        nix::unistd::sync();
        drop_caches()?;
        let kib = |name| Ok::<_, anyhow::Error>(counter("/proc/meminfo", name)? << 10);
        Ok(Self {
            slab: kib("SUnreclaim")?,
            vmalloc: kib("VmallocUsed")?,
            percpu: kib("Percpu")?,
            available: kib("MemAvailable")?,
        })
    }
}

fn no_leak(context: &Context) -> TestResult {
    modules::unload_all()?;
    for _ in 0..WARM_UP {
        round(context)?;
    }
    // Other caches of the kernel come and go, a leak comes each time.
    let mut attempt = no_growth(context);
    for _ in 1..ATTEMPTS {
        let Err(grown) = &attempt else { break };
        println!("{grown}; once more");
        attempt = no_growth(context);
    }
    attempt?;
    let mut pins = (0, 0);
    let balanced = || {
        // Adds up what each processor counted for itself.
        fs::write("/proc/sys/vm/stat_refresh", "1")?;
        pins = (
            counter("/proc/vmstat", "nr_foll_pin_acquired")?,
            counter("/proc/vmstat", "nr_foll_pin_released")?,
        );
        Ok(pins.0 == pins.1)
    };
    let waited = wait_for("all pins are given back", Duration::from_secs(5), balanced);
    waited.with_context(|| format!("{} pins were taken, {} given back", pins.0, pins.1))?;
    for cache in fs::read_dir("/sys/kernel/slab")? {
        let name = cache?.file_name();
        let name = name.to_string_lossy();
        ensure!(
            !name.contains("pinlease") && !name.contains("dmasim"),
            "kmem cache {name} is left"
        );
    }
    ensure!(hooked_functions()?.is_empty(), "a hook is left");
    Ok(())
}

/// Runs the rounds, after which no more memory may be used than before.
fn no_growth(context: &Context) -> TestResult {
    let before = Usage::now()?;
    for _ in 0..context.cycles {
        round(context)?;
    }
    let after = Usage::now()?;
    println!(
        "before: {before:?}\nafter {} rounds: {after:?}",
        context.cycles
    );

    let allowed = IN_SUM + context.cycles * PER_ROUND;
    for (what, before, after) in [
        ("slab", before.slab, after.slab),
        ("vmalloc", before.vmalloc, after.vmalloc),
        ("percpu", before.percpu, after.percpu),
        // Falls when something else is lost, such as pages.
        ("used memory", after.available, before.available),
    ] {
        let grown = after.saturating_sub(before);
        ensure!(
            grown <= allowed,
            "{what} grew by {grown} bytes, {allowed} are allowed"
        );
    }
    Ok(())
}

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
