// SPDX-License-Identifier: GPL-2.0
//! What a lease costs those who have none: throughput of a plain writer, beside
//! a lease of a large part of the memory and without one, in turn.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions},
    io::{Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use clap::Args;
use pinlease::{Device, Lease, PinOptions, Policy};

use selftests::{
    harness::Side,
    support::{modules, page_size, proc::counter, Engine, Fill, Mapped},
};

use crate::statistics::median;

/// The options of this measurement.
#[derive(Args, Debug)]
pub struct Throttling {
    /// Folder on the filesystem of the leased file.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Folder on the filesystem that the writer writes to; by default the same.
    #[arg(long)]
    writer_dir: Option<PathBuf>,
    /// Folder of pinlease.ko and dmasim.ko.
    #[arg(long, default_value = "/pinlease")]
    modules: PathBuf,
    /// Percentage of the memory that is leased and pinned.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=80))]
    percent: u64,
    /// MiB that the writer writes each time.
    #[arg(long, default_value_t = 384)]
    megabytes: u64,
    /// Rounds of each kind.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Microseconds that the active device sleeps after it has written all.
    #[arg(long, default_value_t = 0)]
    pause_us: u64,
}

/// What is there beside the writer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Beside {
    /// The file, but no lease.
    Nothing,
    /// A lease whose device does nothing.
    Idle,
    /// No lease, and as much work for a processor as the active device has.
    Busy,
    /// A lease whose device writes all the time.
    Active,
}

impl Beside {
    const ALL: [Self; 4] = [Self::Nothing, Self::Idle, Self::Busy, Self::Active];
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "no lease",
            Self::Idle => "idle lease",
            Self::Busy => "no lease, busy device",
            Self::Active => "active lease",
        })
    }
}

/// One round.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// MiB per second.
    speed: f64,
    /// Most pages that were dirty or under writeback.
    dirty: u64,
}

/// Measures and prints.
///
/// # Errors
///
/// A step fails.
pub fn bench_throttling(options: &Throttling) -> Result<()> {
    modules::ensure(&options.modules, Side::Pinlease).context("loading modules")?;
    let memory = counter("/proc/meminfo", "MemTotal")? << 10;
    let pages = memory * options.percent / 100 / page_size() as u64;
    let leased = Mapped::create(&options.dir.join("leased"), pages, Fill::Written)?;
    let writer = options.writer_dir.as_ref().unwrap_or(&options.dir);
    println!(
        "{} MiB leased of {} MiB of memory, {} MiB written each time; dirty limits {} and {} pages",
        (pages * page_size() as u64) >> 20,
        memory >> 20,
        options.megabytes,
        counter("/proc/vmstat", "nr_dirty_background_threshold")?,
        counter("/proc/vmstat", "nr_dirty_threshold")?,
    );
    let mut all: BTreeMap<Beside, Vec<Round>> = BTreeMap::new();
    for number in 0..=options.rounds {
        for beside in Beside::ALL {
            let round = measure(options, &leased, writer, beside);
            let round = round.with_context(|| beside.to_string())?;
            // The first of each kind finds nothing allocated.
            if number > 0 {
                println!(
                    "{beside:22} {:7.1} MiB/s, at most {} pages dirty",
                    round.speed, round.dirty
                );
                all.entry(beside).or_default().push(round);
            }
        }
    }
    print(&all);
    Ok(())
}

/// The lease with all of the file pinned, and its device.
fn lease(leased: &Mapped) -> Result<(Engine, Lease)> {
    let lease = Device::open()?
        .lease(leased)
        .policy(Policy::Refuse)
        .acquire()?;
    let pin = lease.pin(leased.address(0), leased.length(), PinOptions::default())?;
    let pin = pin.into_id();
    let engine = Engine::open()?;
    engine.attach(&lease, pin)?;
    Ok((engine, lease))
}

fn measure(options: &Throttling, leased: &Mapped, writer: &Path, beside: Beside) -> Result<Round> {
    let pause = Duration::from_micros(options.pause_us);
    let held = match beside {
        Beside::Nothing => None,
        Beside::Idle | Beside::Active => Some(lease(leased)?),
        Beside::Busy => None,
    };
    // As much anonymous memory as the device of the lease has.
    let mut other = None;
    if beside == Beside::Busy {
        let engine = Engine::open()?;
        let memory = other.insert((engine, vec![0_u8; 33 << 20]));
        let address = memory
            .1
            .as_ptr()
            .map_addr(|at| at.next_multiple_of(page_size()));
        memory.0.pin_raw(address, 32 << 20, false)?;
        memory.0.start(1, pause)?;
    }
    if let Some((engine, _)) = &held {
        engine.write_all(1)?;
        leased.file().sync_all()?;
        if beside == Beside::Active {
            engine.start(2, pause)?;
        }
    }
    nix::unistd::sync();
    let round = write(&writer.join("other"), options.megabytes)?;
    drop(other);
    if let Some((engine, lease)) = held {
        drop(engine);
        drop(lease);
    }
    // Until the lease is drained, and so that the rounds are alike.
    thread::sleep(Duration::from_secs(1));
    nix::unistd::sync();
    Ok(round)
}

/// The unrelated writer: overwrites a file, without fsync.
fn write(path: &Path, megabytes: u64) -> Result<Round> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let chunk = vec![0x5a; 1 << 20];
    let mut dirty = 0;
    let begin = Instant::now();
    let file: &mut File = &mut file;
    file.rewind()?;
    for _ in 0..megabytes {
        file.write_all(&chunk)?;
        let now = counter("/proc/vmstat", "nr_dirty")? + counter("/proc/vmstat", "nr_writeback")?;
        dirty = dirty.max(now);
    }
    let took = begin.elapsed();
    ensure!(fs::metadata(path)?.len() >= megabytes << 20, "not written");
    Ok(Round {
        speed: megabytes as f64 / took.as_secs_f64(),
        dirty,
    })
}

fn speed(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|round| round.speed))
}

fn print(all: &BTreeMap<Beside, Vec<Round>>) {
    let of = |beside| all.get(&beside).map_or(f64::NAN, |rounds| speed(rounds));
    for (beside, rounds) in all {
        println!(
            "{beside:22} median {:7.1} MiB/s in {} rounds",
            speed(rounds),
            rounds.len()
        );
    }
    for (lease, without) in [
        (Beside::Idle, Beside::Nothing),
        (Beside::Active, Beside::Busy),
        (Beside::Active, Beside::Nothing),
    ] {
        println!(
            "throughput: ratio {:.2} ({lease} {:.1}, {without} {:.1})",
            of(lease) / of(without),
            of(lease),
            of(without)
        );
    }
}
