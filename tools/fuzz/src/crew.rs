// SPDX-License-Identifier: GPL-2.0
//! Starts workers, watches them, and adds up what they found.

use std::{
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use nix::{
    sys::{
        signal::{kill, Signal},
        wait::{waitpid, WaitPidFlag, WaitStatus},
    },
    unistd::{fork, ForkResult, Pid},
};
use selftests::{
    harness::Side,
    support::{
        modules, proc,
        residue::{all_leases, none_left},
        KernelLog,
    },
};

use crate::{
    finding::Finding,
    operation::Sequence,
    tally::{Shared, WORKERS},
    variant::NAMES,
    worker::Worker,
    world::{Files, World},
};

/// What is done, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Folder on the filesystem to test.
    #[arg(long)]
    pub dir: PathBuf,
    /// Folder of pinlease.ko and dmasim.ko.
    #[arg(long, default_value = "/pinlease")]
    pub modules: PathBuf,
    /// Seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Ends before, when so many operations have changed the state.
    #[arg(long, default_value_t = u64::MAX)]
    pub operations: u64,
    /// Processes that work side by side.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=WORKERS as u64))]
    pub workers: u64,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds that a worker may stand still.
    #[arg(long, default_value_t = 120)]
    pub patience: u64,
}

/// Seconds between two looks at everything, when all workers rest.
const INVENTORY: Duration = Duration::from_secs(60);

/// Between two lines that say how far it is.
const NEWS: Duration = Duration::from_secs(30);

/// A crew at work.
struct Crew {
    options: Options,
    shared: &'static Shared,
    workers: Vec<Pid>,
    log: KernelLog,
    keepers: usize,
    findings: u64,
    begin: Instant,
    /// What each worker had begun when it was last seen to move, and when that was.
    seen: Vec<(u64, Instant)>,
}

/// Fuzzes; true if nothing was found.
///
/// # Errors
///
/// The test itself is broken.
pub fn fuzz(options: Options) -> Result<bool> {
    modules::ensure(&options.modules, Side::Pinlease)?;
    open_to_all()?;
    let log = KernelLog::open()?;
    let shared = Shared::new()?;
    let workers = options.workers as usize;
    let files = (0..workers).map(|worker| Files::make(&options.dir, worker));
    let files = files.collect::<Result<Vec<_>>>()?;
    let last = last_lease()?;
    let mut crew = Crew {
        shared,
        workers: Vec::new(),
        log,
        keepers: files.iter().map(Files::keepers).sum(),
        findings: 0,
        begin: Instant::now(),
        seen: vec![(0, Instant::now()); workers],
        options,
    };
    for worker in 0..workers {
        crew.start(&files, worker, last)?;
    }
    crew.watch()?;
    crew.end()?;
    drop(files);
    if let Err(error) = none_left() {
        crew.found(format!("at the end: {error:#}"), Sequence::default())?;
    }
    crew.report();
    Ok(crew.all_findings() == 0)
}

/// Lets the partners open the devices.
pub(crate) fn open_to_all() -> Result<()> {
    use std::{fs, os::unix::fs::PermissionsExt};
    for device in [pinlease::DEVICE_PATH, "/dev/dmasim"] {
        fs::set_permissions(device, fs::Permissions::from_mode(0o666)).context(device)?;
    }
    Ok(())
}

/// The greatest id of all leases.
pub(crate) fn last_lease() -> Result<u64> {
    Ok(all_leases()?.last().map_or(0, |lease| lease.id))
}

impl Crew {
    fn start(&mut self, files: &[Files], worker: usize, last: u64) -> Result<()> {
        // SAFETY: there is one thread only.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => self.workers.push(child),
            ForkResult::Child => {
                let world = World::new(&files[worker], worker, last);
                let result = world.and_then(|world| {
                    Worker::new(world, self.options.seed, self.shared, worker).work()
                });
                if let Err(error) = &result {
                    eprintln!("worker {worker}: {error:#}");
                }
                // Without what the parent would do at its end.
                process::exit(i32::from(result.is_err()));
            }
        }
        Ok(())
    }

    fn watch(&mut self) -> Result<()> {
        let (mut inventory, mut news) = (Instant::now(), Instant::now());
        let limit = Duration::from_secs(self.options.seconds);
        while self.begin.elapsed() < limit && self.changed() < self.options.operations {
            thread::sleep(Duration::from_millis(200));
            self.look_at_log()?;
            self.look_at_workers()?;
            if inventory.elapsed() > INVENTORY {
                self.take_inventory()?;
                inventory = Instant::now();
            }
            if news.elapsed() > NEWS {
                println!("{}", self.summary());
                news = Instant::now();
            }
        }
        Ok(())
    }

    fn look_at_log(&mut self) -> Result<()> {
        let splats = self.log.splats();
        if splats.is_empty() {
            return Ok(());
        }
        // Whoever did it; all of them may have.
        for worker in 0..self.workers.len() {
            let sequence = self.shared.slots[worker].sequence();
            self.found(
                format!("the kernel logged: {}", splats.join("; ")),
                sequence,
            )?;
        }
        Ok(())
    }

    fn look_at_workers(&mut self) -> Result<()> {
        for worker in 0..self.workers.len() {
            let pid = self.workers[worker];
            let slot = &self.shared.slots[worker];
            match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::StillAlive => (),
                status => {
                    let sequence = slot.sequence();
                    self.found(format!("worker {worker} ended: {status:?}"), sequence)?;
                    bail!("a worker is gone");
                }
            }
            let begun = slot.begun.load(Ordering::Relaxed);
            if begun != self.seen[worker].0 || slot.rests.load(Ordering::Relaxed) {
                self.seen[worker] = (begun, Instant::now());
            } else if self.seen[worker].1.elapsed() > Duration::from_secs(self.options.patience) {
                let sequence = slot.sequence();
                self.found(format!("worker {worker} hangs"), sequence)?;
                bail!("a worker hangs");
            }
        }
        Ok(())
    }

    /// Lets all rest, and looks whether everything is as it was before the first sequence.
    fn take_inventory(&mut self) -> Result<()> {
        self.shared.pause.store(true, Ordering::Relaxed);
        let rests = |crew: &Self| {
            let slots = crew.shared.slots.iter().take(crew.workers.len());
            slots
                .into_iter()
                .all(|slot| slot.rests.load(Ordering::Acquire))
        };
        let begin = Instant::now();
        while !rests(self) {
            self.look_at_workers()?;
            ensure!(
                begin.elapsed() < Duration::from_secs(10 * self.options.patience),
                "workers do not rest"
            );
            thread::sleep(Duration::from_millis(5));
        }
        if let Err(error) = self.everything_is_balanced() {
            self.found(format!("between sequences: {error:#}"), Sequence::default())?;
        }
        for slot in &self.shared.slots {
            slot.rests.store(false, Ordering::Relaxed);
        }
        self.shared.pause.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn everything_is_balanced(&self) -> Result<()> {
        let mut left = String::new();
        let balanced = || {
            let leases = all_leases()?;
            let pinned = leases.iter().filter(|lease| lease.pins > 0).count();
            let (taken, given) = proc::pins_taken_and_given()?;
            let charged = self.charged()?;
            left = format!(
                "{} leases, {pinned} of them with pins, where {} stay; {taken} pins taken, {given} given back; {charged} kB charged",
                leases.len(),
                self.keepers
            );
            Ok(leases.len() == self.keepers && pinned == 0 && taken == given && charged == 0)
        };
        proc::wait_for("everything is balanced", Duration::from_secs(60), balanced)
            .map(drop)
            .with_context(|| left)
    }

    /// Kilobytes that are charged to workers and partners as pinned.
    fn charged(&self) -> Result<u64> {
        let partners = self.shared.slots.iter().take(self.workers.len());
        let partners = partners.map(|slot| slot.partner.load(Ordering::Relaxed) as i32);
        let processes = self.workers.iter().map(|pid| pid.as_raw()).chain(partners);
        let charged = processes.map(|pid| proc::counter(&format!("/proc/{pid}/status"), "VmPin"));
        charged.sum()
    }

    fn end(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let begin = Instant::now();
        for (worker, pid) in self.workers.iter().enumerate() {
            loop {
                match waitpid(*pid, Some(WaitPidFlag::WNOHANG))? {
                    WaitStatus::StillAlive
                        if begin.elapsed() < Duration::from_secs(2 * self.options.patience) =>
                    {
                        thread::sleep(Duration::from_millis(20));
                    }
                    WaitStatus::StillAlive => {
                        kill(*pid, Signal::SIGKILL)?;
                        bail!("worker {worker} does not end");
                    }
                    WaitStatus::Exited(_, 0) => break,
                    status => bail!("worker {worker} ended: {status:?}"),
                }
            }
        }
        let splats = self.log.splats();
        if !splats.is_empty() {
            self.found(
                format!("the kernel logged: {}", splats.join("; ")),
                Sequence::default(),
            )?;
        }
        Ok(())
    }

    fn found(&mut self, what: String, sequence: Sequence) -> Result<()> {
        self.findings += 1;
        println!("{}", Finding { what, sequence }.line()?);
        Ok(())
    }

    fn sum(&self, of: impl Fn(&crate::tally::Slot) -> &AtomicU64) -> u64 {
        self.shared
            .slots
            .iter()
            .map(|slot| of(slot).load(Ordering::Relaxed))
            .sum()
    }

    fn changed(&self) -> u64 {
        self.shared
            .slots
            .iter()
            .map(crate::tally::Slot::all_changed)
            .sum()
    }

    fn all_findings(&self) -> u64 {
        self.findings + self.sum(|slot| &slot.findings)
    }

    fn summary(&self) -> String {
        let seconds = self.begin.elapsed().as_secs_f64();
        format!(
            "{:.0} s: {} changed ({:.0} in a second), {} refused, {} sequences, {} kept, {} edges, {} findings",
            seconds,
            self.changed(),
            self.changed() as f64 / seconds,
            self.sum(|slot| &slot.refused),
            self.sum(|slot| &slot.sequences),
            self.sum(|slot| &slot.kept),
            self.shared.edges.count(),
            self.all_findings(),
        )
    }

    fn report(&self) {
        println!("{}", self.summary());
        for (kind, name) in NAMES.iter().enumerate() {
            let sum = self.sum(|slot| &slot.times[kind].0);
            let count = self.sum(|slot| &slot.times[kind].1).max(1);
            println!(
                "{name}: {} changed, {} us each",
                self.sum(|slot| &slot.changed[kind]),
                sum / count
            );
        }
        println!(
            "fuzz: {} operations changed the state, {} refused, {} edges, {} findings, seed {}",
            self.changed(),
            self.sum(|slot| &slot.refused),
            self.shared.edges.count(),
            self.all_findings(),
            self.options.seed,
        );
    }
}
