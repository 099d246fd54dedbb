// SPDX-License-Identifier: GPL-2.0
//! Scenario 14: no memory to speak of, and swap on the disk that writeback
//! goes to: every fsync ends, and nothing is lost.
//!
//! Most of the memory is locked; what another process keeps using does not fit
//! into the rest, and is swapped in and out through the filesystem of the
//! leased file.  An ordinary file of the same size, which is written by stores
//! and fsynced at the same time, tells what an fsync costs there anyway.
//!
//! Failures of single allocations (failslab, fail_page_alloc) need a kernel with
//! fault injection.  That the reserve of snapshots suffices is what suite
//! `reserve` asserts.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        page_size,
        proc::{counter, snapshots_from_reserve, wait_for},
        process::Tied,
        DirectReader, Fill, Hog, Layer, Mapped, Requirement, Rig, RigOptions, Scratch, SwapFile,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s14-pressure.faulted", |cx| check(cx, Fill::Faulted)).seconds(300),
    Test::new("s14-pressure.written", |cx| check(cx, Fill::Written)).seconds(300),
];

/// Bytes that are not locked.
const FREE: u64 = 64 << 20;

/// Bytes that the other process uses.
const WANTED: u64 = 128 << 20;

/// Bytes of swap.
const SWAP: u64 = 112 << 20;

/// The file has this many times the usual pages.
const FACTOR: u64 = 4;

/// Pages swapped out before it begins.
const SWAPPED: u64 = 1000;

/// Fsyncs of each file.
const ROUNDS: u64 = 2;

/// Between two passes of the device, so that it does not take a processor of
/// few for itself.
const PAUSE: Duration = Duration::from_micros(200);

/// "Bounded", under emulation and when every page has to be swapped for.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that uses more memory than there is.
fn thrasher() -> Result<Tied> {
    Tied::spawn(|| {
        let mut hog = Hog::reserve(WANTED)?;
        let mut random = fastrand::Rng::with_seed(14);
        loop {
            hog.touch(random.u64(..WANTED / page_size() as u64));
        }
    })
}

/// How long fsyncs took.
#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Times one.
    fn fsync(&mut self, mapped: &Mapped) -> TestResult {
        let begin = Instant::now();
        mapped.file().sync_all()?;
        let elapsed = begin.elapsed();
        self.0.push(elapsed);
        ensure!(elapsed < LIMIT, "an fsync took {elapsed:?}");
        Ok(())
    }

    fn mean(&self) -> Duration {
        self.0.iter().sum::<Duration>() / self.0.len().max(1) as u32
    }

    fn longest(&self) -> Duration {
        self.0.iter().copied().max().unwrap_or_default()
    }
}

fn check(context: &Context, fill: Fill) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let pages = context.pages * FACTOR;
    let rig = RigOptions::new(context.side, pages, fill).build(&scratch.dir().join("leased"))?;
    let ordinary = Mapped::create(&scratch.dir().join("ordinary"), pages, fill)?;
    rig.engine.start(1, PAUSE)?;

    let hog = Hog::take(FREE)?;
    hog.lock()?;
    let swap = SwapFile::on(&scratch.dir().join("swap"), SWAP)?;
    let before = snapshots_from_reserve()?;
    let swapped = counter("/proc/vmstat", "pswpout")?;
    let thrasher = thrasher()?;
    println!("{} MiB locked", hog.taken() >> 20);
    wait_for("swapping", LIMIT, || {
        ensure!(thrasher.ended()?.is_none(), "the other process has ended");
        Ok(counter("/proc/vmstat", "pswpout")? - swapped > SWAPPED)
    })?;
    let result = race(&rig, &ordinary);
    ensure!(thrasher.ended()?.is_none(), "the other process has ended");
    drop(thrasher);
    println!(
        "{} pages swapped out, {} snapshots from the reserve",
        counter("/proc/vmstat", "pswpout")? - swapped,
        snapshots_from_reserve()? - before
    );
    drop(swap);
    drop(hog);
    result?;
    rig.engine.stop()?;
    ensure!(rig.lease()?.query()?.errors == 0, "the lease counts errors");
    drop((rig, ordinary));
    scratch.check()
}

/// Fsyncs of both files by turns.
fn race(rig: &Rig, ordinary: &Mapped) -> TestResult {
    let (mut leased, mut reference) = (Times::default(), Times::default());
    let mut reader = DirectReader::open(rig.mapped.path())?;
    for generation in 1..=ROUNDS {
        ordinary.stamp_by_cpu(generation);
        reference.fsync(ordinary)?;
        let published = rig.engine.wait_passes(1)?.completed;
        leased.fsync(&rig.mapped)?;
        reader
            .census(rig.mapped.pages(), Requirement::AtLeast(published))?
            .all_kept()?;
        DirectReader::open(ordinary.path())?
            .census(ordinary.pages(), Requirement::Exactly(generation))?
            .all_kept()?;
    }
    println!(
        "fsync of {} pages: mean {:?}, longest {:?}; of an ordinary file: mean {:?}, longest {:?}; \
         ratio of the means {:.2}",
        rig.mapped.pages(),
        leased.mean(),
        leased.longest(),
        reference.mean(),
        reference.longest(),
        leased.mean().as_secs_f64() / reference.mean().as_secs_f64()
    );
    Ok(())
}
