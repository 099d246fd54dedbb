// SPDX-License-Identifier: GPL-2.0
//! After the rounds no memory is used that was not used before, no pin, cache or
//! hook is left.

use std::fs;

use anyhow::{ensure, Result};

use super::{balanced, round};
use crate::{
    harness::{Context, TestResult},
    support::{
        modules,
        proc::{counter, hooked_functions},
        sysctl::drop_caches,
    },
};

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

/// Runs rounds until that is clear.
pub fn no_leak(context: &Context) -> TestResult {
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
    balanced()?;
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
