// SPDX-License-Identifier: GPL-2.0
//! Scenario 9: memory that is leased is not dirty memory: it neither throttles
//! other writers nor is it ever dirty as a whole.
//!
//! The kernel slows writers down by how much is dirty or under writeback, so
//! that these counters, and how long a writer was made to pause, are looked at
//! here, not the clock; `pinlease-bench throttling` measures throughput.

use std::{
    fs::File,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        page_size,
        proc::counters,
        sysctl::{hasty_flusher, Sysctl},
        Fill, Layer, Requirement, Rig, RigOptions, Scratch,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s09-throttling.idle", idle).granted(),
    Test::new("s09-throttling.active", active)
        .granted()
        .seconds(300),
];

const PAGE: u64 = page_size() as u64;

/// 64 MiB: more than makes writers pause.
const PAGES: u64 = 16384;

/// From here on the flusher runs, and from the mean of the two writers pause.
const BACKGROUND: u64 = 32 << 20;
const LIMIT: u64 = 64 << 20;

/// Dirty pages that may be there without the lease: metadata, logs.
const OTHERS: u64 = 1024;

/// A pin of more than may be dirty, on a disk of its own, with a tick of a second.
struct Subject {
    // Dropped in this order.
    rig: Rig,
    scratch: Scratch,
    _limits: [Sysctl; 2],
    _hasty: [Sysctl; 2],
}

impl Subject {
    fn new(context: &Context) -> Result<Self> {
        context.load_modules()?;
        let hasty = hasty_flusher()?;
        let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
        let pages = context.pages.max(PAGES);
        let rig =
            RigOptions::new(context.side, pages, Fill::Faulted).build(&scratch.dir().join("f"))?;
        rig.engine.write_all(1)?;
        rig.fsync()?;
        nix::unistd::sync();
        let limits = [
            Sysctl::set("vm.dirty_background_bytes", BACKGROUND)?,
            Sysctl::set("vm.dirty_bytes", LIMIT)?,
        ];
        // The first ticks are for what the setup left.
        thread::sleep(Duration::from_secs(2));
        Ok(Self {
            rig,
            scratch,
            _limits: limits,
            _hasty: hasty,
        })
    }

    fn pages(&self) -> u64 {
        self.rig.mapped.pages()
    }
}

/// What /proc/vmstat says of dirty pages.
#[derive(Clone, Copy, Debug)]
struct Dirt {
    /// Dirty or under writeback now.
    now: u64,
    /// Became dirty since the machine was started.
    ever: u64,
}

impl Dirt {
    fn read() -> Result<Self> {
        let all = counters("/proc/vmstat")?;
        let get = |name: &str| all.get(name).copied().with_context(|| name.to_owned());
        Ok(Self {
            now: get("nr_dirty")? + get("nr_writeback")?,
            ever: get("nr_dirtied")?,
        })
    }
}

/// How dirty it was during some time.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// Most pages that were dirty or under writeback.
    peak: u64,
    /// Pages that became dirty.
    dirtied: u64,
}

/// Looks at the counters again and again, and does `work`, for so long and until so
/// many pages became dirty, which on a slow machine takes longer.
fn watch(time: Duration, pages: u64, mut work: impl FnMut() -> Result<()>) -> Result<Watched> {
    let begin = Instant::now();
    let before = Dirt::read()?;
    let mut watched = Watched {
        peak: 0,
        dirtied: 0,
    };
    while begin.elapsed() < time
        || (watched.dirtied < pages && begin.elapsed() < Duration::from_secs(60))
    {
        let now = Dirt::read()?;
        watched.peak = watched.peak.max(now.now);
        watched.dirtied = now.ever - before.ever;
        work()?;
        thread::sleep(Duration::from_millis(2));
    }
    println!("{watched:?} in {:?}", begin.elapsed());
    Ok(watched)
}

/// Nothing becomes dirty in the ticks of an idle device; and beside it a writer of
/// less than it takes to be throttled is not throttled.
fn idle(context: &Context) -> TestResult {
    const CHUNK: usize = 64 << 10;
    let subject = Subject::new(context)?;
    let watched = watch(Duration::from_secs(3), 0, || Ok(()))?;
    ensure!(
        watched.dirtied <= OTHERS,
        "{} pages became dirty; {} are pinned, and the device is idle",
        watched.dirtied,
        subject.pages()
    );

    let mut file = File::create(subject.scratch.dir().join("other"))?;
    let chunk = vec![0xa5; CHUNK];
    let mut wrote = 0;
    let watched = watch(Duration::from_secs(3), 0, || {
        // Slow enough for any disk, or it would be its own fault.
        if wrote < BACKGROUND / 4 {
            file.write_all(&chunk)?;
            wrote += CHUNK as u64;
        }
        Ok(())
    })?;
    // btrfs makes dirty again what it has to write in two steps.
    let allowed = 2 * wrote / PAGE + OTHERS;
    ensure!(
        watched.dirtied <= allowed,
        "{} pages became dirty, the writer wrote {}",
        watched.dirtied,
        wrote / PAGE
    );
    throttles_nobody(&subject, watched)
}

/// A device that writes everything all the time: what is dirty stays below what
/// throttles others, and the disk follows.
fn active(context: &Context) -> TestResult {
    let subject = Subject::new(context)?;
    subject.rig.engine.start(2, Duration::from_millis(300))?;
    subject.rig.engine.wait_passes(1)?;
    let published = subject.rig.engine.status()?.completed;
    let watched = watch(Duration::from_secs(3), 2 * subject.pages(), || Ok(()))?;
    // Then each page was made dirty once since what was published.
    ensure!(
        watched.dirtied >= 2 * subject.pages(),
        "only {} pages became dirty, the device wrote {} all the time",
        watched.dirtied,
        subject.pages()
    );
    throttles_nobody(&subject, watched)?;
    // The reader writes back what is dirty, not what the tick left out.
    subject
        .rig
        .census(Requirement::AtLeast(published))?
        .all_kept()?;

    println!("fsync");
    let published = subject.rig.engine.status()?.completed;
    let file = subject.rig.mapped.file().try_clone()?;
    let syncing = crate::support::process::spawn(move || Ok(file.sync_all()?))?;
    let watched = watch(Duration::from_secs(3), 0, || Ok(()))?;
    syncing.join()?;
    subject.rig.engine.stop()?;
    throttles_nobody(&subject, watched)?;
    subject
        .rig
        .census(Requirement::AtLeast(published))?
        .all_kept()
}

/// Writers pause when the mean of the two limits is dirty.
fn throttles_nobody(subject: &Subject, watched: Watched) -> Result<()> {
    let most = (BACKGROUND + LIMIT) / 2 / PAGE;
    ensure!(
        watched.peak <= most,
        "{} pages were dirty at a time, of {} that throttle; {} are pinned",
        watched.peak,
        most,
        subject.pages()
    );
    Ok(())
}
