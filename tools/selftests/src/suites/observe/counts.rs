// SPDX-License-Identifier: GPL-2.0
//! What debugfs counts is what was done.

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use pinlease::{
    statistics::{activities, latencies, totals, Activity},
    Device,
};

use crate::{
    harness::{Context, TestResult},
    support::{
        page_size,
        proc::{hooked_functions, wait_for},
        Fill, Mapped, RigOptions,
    },
};

const PAGES: u64 = 32;
const PAGE: u64 = page_size() as u64;
const LIMIT: Duration = Duration::from_secs(30);

/// Two fsyncs of what a device wrote, and one of nothing new, beside a lease of which nothing is
/// pinned.
pub fn counts(context: &Context) -> TestResult {
    context.load_modules()?;
    let no_hooks = || Ok(hooked_functions()?.is_empty());
    wait_for("hooks of earlier leases are gone", LIMIT, no_hooks)?;
    let before = Seen::now()?;
    let options = RigOptions::new(context.side, PAGES, Fill::Faulted);
    let rig = options.build(&context.path("counts"))?;
    let other = Mapped::create(&context.path("counts-other"), PAGES, Fill::Faulted)?;
    let idle = Device::open()?.lease(&other).acquire()?;
    for generation in 1..=2 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
    }
    rig.fsync()?;
    let nothing_in_flight = || Ok(Seen::now()?.total("snapshots_in_flight")? == 0);
    wait_for("snapshots have ended", LIMIT, nothing_in_flight)?;

    let after = Seen::now()?;
    let query = rig.lease()?.query()?;
    let busy = activity(query.id)?;
    println!("{busy:?}");
    ensure!(query.snapshots >= 2 * PAGES, "{query:?}");
    ensure!(
        busy.bounced_bytes == query.snapshots * PAGE && busy.rearmed == query.rearmed,
        "QUERY says {query:?}"
    );
    ensure!(busy.snapshots > 0 && busy.snapshots <= query.snapshots);
    ensure!(busy.rearmed_bytes >= busy.rearmed * PAGE);
    // All of it was found unchanged by the third fsync.
    ensure!(busy.unchanged_pages >= PAGES, "unchanged pages");
    let quiet = activity(idle.query()?.id)?;
    let expected = Activity {
        id: quiet.id,
        ..Activity::default()
    };
    ensure!(quiet == expected, "an idle lease has {quiet:?}");

    for (name, expected) in [
        ("snapshots", busy.snapshots),
        ("bounced_bytes", busy.bounced_bytes),
        ("rearmed", busy.rearmed),
        ("unchanged_pages", busy.unchanged_pages),
        ("errors", 0),
    ] {
        after.rose(&before, name, expected)?;
    }
    ensure!(after.total("bounce_memory_bytes")? == 0, "memory is in use");
    ensure!(after.total("bounce_memory_peak_bytes")? >= PAGE);
    for (latency, expected) in [
        ("snapshot", busy.snapshots),
        ("fsync_rearm", 3),
        ("acquire", 2),
        ("first_acquire", 1),
        ("break", 0),
    ] {
        let count = after.count(latency) - before.count(latency);
        ensure!(count == expected, "{latency}: {count}, not {expected}");
    }
    Ok(())
}

/// That of one lease.
fn activity(id: u64) -> Result<Activity> {
    let all = activities()?;
    let own = all.iter().find(|activity| activity.id == id);
    own.copied()
        .with_context(|| format!("no lease {id} in {all:?}"))
}

/// What debugfs has at a time.
pub(super) struct Seen {
    totals: std::collections::BTreeMap<String, u64>,
    latencies: Vec<pinlease::statistics::Bucket>,
}

impl Seen {
    pub(super) fn now() -> Result<Self> {
        Ok(Self {
            totals: totals()?,
            latencies: latencies()?,
        })
    }

    pub(super) fn total(&self, name: &str) -> Result<u64> {
        let total = self.totals.get(name).copied();
        total.with_context(|| format!("totals have no {name}"))
    }

    /// Asserts by how much a total rose.
    pub(super) fn rose(&self, before: &Self, name: &str, expected: u64) -> TestResult {
        let rose = self.total(name)? - before.total(name)?;
        ensure!(rose == expected, "{name} rose by {rose}, not by {expected}");
        Ok(())
    }

    /// How many were timed.
    pub(super) fn count(&self, latency: &str) -> u64 {
        let its = self
            .latencies
            .iter()
            .filter(|bucket| bucket.latency == latency);
        its.map(|bucket| bucket.count).sum()
    }

    /// The longest that was timed may have taken so long.
    pub(super) fn longest(&self, latency: &str) -> Duration {
        let its = self
            .latencies
            .iter()
            .filter(|bucket| bucket.latency == latency);
        Duration::from_nanos(its.map(|bucket| bucket.to_ns).max().unwrap_or(0))
    }
}
