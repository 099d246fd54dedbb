// SPDX-License-Identifier: GPL-2.0
//! Everything at once, for as long as `--minutes` says: devices that write
//! without pause, writeback by everybody who can ask for it, clones and
//! snapshots, holders and breakers of every kind, memory pressure, and a
//! filesystem that sees every torn page.
//!
//! Each part is a process of its own: [`holder`]s with a device each, one that
//! writes [`beside`] them as programs do, one that asks for [`durability`] and
//! checks nothing, one that makes [`copies`], two that [break](breaks) leases of
//! others, one that takes away [`memory`].
//! They count what they do in a [`Tally`]; the first that finds something wrong
//! ends all.

mod beside;
mod breaks;
mod copies;
mod durability;
mod holder;
mod layout;
mod memory;
mod tally;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Result};
use nix::sys::wait::WaitStatus;

use super::s02_tearing::{judge, judging_filesystem};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        process::{spawn, whereabouts, Forked},
        subvolume,
        sysctl::hasty_flusher,
        Cgroup, Filesystem, Scratch,
    },
};
use layout::DEVICES;
use tally::{Count, Tally};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("soak.all", soak).seconds(900)];

/// How long it lasts when nobody says.
const SHORT: Duration = Duration::from_secs(15);

/// Processes that break leases.
const BREAKERS: u64 = 2;

/// So much longer when on a slow machine some part has not done anything yet.
const MORE: Duration = Duration::from_secs(180);

/// A process that does not end so long after it was told to hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What every part is given.
struct Ground {
    /// Folder of the files: on btrfs, a subvolume.
    files: PathBuf,
    /// Folder of clones and snapshots, on the same filesystem.
    copies: PathBuf,
    /// Folder of files whose leases are broken.
    breaks: PathBuf,
    filesystem: Filesystem,
    seed: u64,
    /// Whether it lasts for minutes.
    long: bool,
    tally: Tally,
}

impl Ground {
    fn random(&self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_mul(1000).wrapping_add(part))
    }

    /// Runs `round` again and again until the end.
    fn until_stopped(&self, mut round: impl FnMut() -> TestResult) -> TestResult {
        while self.tally.get(Count::Stop) == 0 {
            round()?;
        }
        Ok(())
    }

    /// Asserts that every part did something.
    fn everything_happened(&self) -> TestResult {
        if self.long {
            ensure!(self.tally.get(Count::Breaks) > 0, "no lease was broken");
        }
        self.tally.everything_happened(self.filesystem)
    }

    /// Waits until every device has written.
    fn wait_for_devices(&self) {
        while self.tally.get(Count::Ready) < DEVICES.len() as u64
            && self.tally.get(Count::Stop) == 0
        {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process of the soak.
struct Part {
    name: String,
    process: Forked,
}

fn soak(context: &Context) -> TestResult {
    context.load_modules()?;
    let seed = context.seed();
    let duration = match context.minutes {
        0 => SHORT,
        minutes => Duration::from_secs(60 * minutes),
    };
    println!("--seed {seed}, {duration:?}");
    let scratch = judging_filesystem(context)?;
    let cgroup = Cgroup::enter();
    if let Err(error) = &cgroup {
        println!("no memory.reclaim: {error:#}");
    }
    let _hasty = hasty_flusher()?;
    let ground = prepare(context, &scratch, seed)?;
    let parts = start(&ground, context, cgroup.as_ref().ok())?;
    let result = watch(&ground, &scratch, parts, duration);
    let judged = finish(&ground, &scratch, context);
    result.and(judged)
}

fn prepare(context: &Context, scratch: &Scratch, seed: u64) -> Result<Ground> {
    let filesystem = context.filesystem()?;
    let files = if filesystem == Filesystem::Btrfs {
        subvolume::create(scratch.dir(), "files")?
    } else {
        let files = scratch.dir().join("files");
        fs::create_dir(&files)?;
        files
    };
    let copies = scratch.dir().join("copies");
    let breaks = scratch.dir().join("breaks");
    for folder in [&copies, &breaks] {
        fs::create_dir(folder)?;
    }
    Ok(Ground {
        files,
        copies,
        breaks,
        filesystem,
        seed,
        long: context.minutes > 0,
        tally: Tally::new()?,
    })
}

fn start(ground: &Ground, context: &Context, cgroup: Option<&Cgroup>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut add = |name: &str, run: &dyn Fn() -> TestResult| -> TestResult {
        parts.push(Part {
            name: name.into(),
            process: spawn(|| {
                let result = run();
                ground.tally.stop();
                result
            })?,
        });
        Ok(())
    };
    for device in &DEVICES {
        add(device.name, &|| holder::run(ground, device))?;
    }
    add("beside", &|| beside::run(ground))?;
    add("durability", &|| durability::run(ground))?;
    add("copies", &|| copies::run(ground))?;
    // Each takes seconds on a busy machine.
    let breakers = if ground.long { BREAKERS } else { 0 };
    for number in 0..breakers {
        let name = format!("breaks-{number}");
        add(&name, &|| breaks::run(ground, context, number))?;
    }
    add("memory", &|| memory::run(ground, cgroup))?;
    Ok(parts)
}

/// Tells how it goes until the time is over or a part has failed; then ends all.
fn watch(
    ground: &Ground,
    scratch: &Scratch,
    mut parts: Vec<Part>,
    duration: Duration,
) -> TestResult {
    let begin = Instant::now();
    let interval = (duration / 30).max(Duration::from_secs(5));
    let mut next = interval;
    let mut failed = Vec::new();
    let mut stopped: Option<Instant> = None;
    while !parts.is_empty() {
        let mut living = Vec::new();
        for part in parts {
            match part.process.ended()? {
                None => living.push(part),
                Some(WaitStatus::Exited(_, 0)) => {}
                Some(other) => failed.push(format!("{}: {other:?}", part.name)),
            }
        }
        parts = living;
        let happened = ground.everything_happened().is_ok();
        let enough = if happened { duration } else { duration + MORE };
        if begin.elapsed() > enough || !failed.is_empty() {
            ground.tally.stop();
        }
        if ground.tally.get(Count::Stop) != 0 {
            let stopped = *stopped.get_or_insert_with(Instant::now);
            if stopped.elapsed() > PATIENCE {
                for part in &parts {
                    let place = whereabouts(part.process.pid());
                    println!("{} does not end: {place}", part.name);
                }
                bail!("{} parts do not end", parts.len());
            }
        }
        if begin.elapsed() > next {
            next += interval;
            progress(ground, scratch, begin.elapsed());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    ensure!(
        begin.elapsed() >= duration,
        "ended after {:?}",
        begin.elapsed()
    );
    Ok(())
}

/// A line in the output and, for whoever watches the console, in the kernel log.
fn progress(ground: &Ground, scratch: &Scratch, after: Duration) {
    let mut line = format!("soak, {} s: {}", after.as_secs(), ground.tally);
    // btrfs is asked in the end.
    if scratch.filesystem() != Filesystem::Btrfs {
        line += &match scratch.layer_errors() {
            Ok(errors) => format!(", {errors} checksum errors"),
            Err(error) => format!(", checksum errors unknown: {error:#}"),
        };
    }
    println!("{line}");
    if let Ok(mut log) = OpenOptions::new().write(true).open("/dev/kmsg") {
        let _ = writeln!(log, "{line}");
    }
}

/// What the filesystem itself says, and the line to quote.
fn finish(ground: &Ground, scratch: &Scratch, context: &Context) -> TestResult {
    let errors = judge(scratch)?;
    println!(
        "soak of {}: {}, {errors} checksum errors",
        context.filesystem()?,
        ground.tally
    );
    ensure!(errors == 0, "{errors} checksum errors");
    ground.tally.nothing_wrong()?;
    ground.everything_happened()?;
    scratch.check()
}
