// SPDX-License-Identifier: GPL-2.0
//! A worker: runs sequence after sequence, drawn anew or changed from those that reached something.

use std::{sync::atomic::Ordering, thread, time::Duration};

use anyhow::Result;
use fastrand::Rng;

use crate::{
    coverage::Recorder,
    finding::{minimised, Finding},
    generate::Generator,
    mutate::mutated,
    operation::Sequence,
    run::{run, Run},
    tally::{Shared, Slot},
    world::World,
};

/// One in so many sequences is recorded: that costs time.
const RECORDED: u64 = 8;

/// Sequences that are kept to be changed.
const KEPT: usize = 512;

/// Findings after which a worker stops: one shows what is wrong, more take time.
const FINDINGS: u64 = 20;

/// A worker.
#[derive(Debug)]
pub struct Worker {
    world: World,
    rng: Rng,
    shared: &'static Shared,
    slot: &'static Slot,
    recorder: Option<Recorder>,
    kept: Vec<Sequence>,
}

impl Worker {
    /// Number `number`, in a process of its own.
    pub fn new(world: World, seed: u64, shared: &'static Shared, number: usize) -> Self {
        let slot = &shared.slots[number];
        slot.partner
            .store(world.partner() as usize, Ordering::Relaxed);
        Self {
            world,
            rng: Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number as u64)),
            shared,
            slot,
            recorder: Recorder::open(),
            kept: Vec::new(),
        }
    }

    /// Works until it is told to stop.
    ///
    /// # Errors
    ///
    /// The test itself is broken.
    pub fn work(&mut self) -> Result<()> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            if self.shared.pause.load(Ordering::Relaxed) {
                self.slot.rests.store(true, Ordering::Release);
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            self.slot.rests.store(false, Ordering::Release);
            if self.slot.findings.load(Ordering::Relaxed) >= FINDINGS {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            let run = self.sequence()?;
            self.slot.sequences.fetch_add(1, Ordering::Relaxed);
            self.judge(run)?;
        }
        self.slot.rests.store(true, Ordering::Release);
        Ok(())
    }

    fn sequence(&mut self) -> Result<Run> {
        let number = self.slot.sequences.load(Ordering::Relaxed);
        let recorded = number % RECORDED == 0;
        let coverage = self.recorder.as_ref().filter(|_| recorded);
        let coverage = coverage.map(|recorder| (recorder, &self.shared.edges));
        self.slot.restart();
        if !self.kept.is_empty() && self.rng.bool() {
            let base = &self.kept[self.rng.usize(..self.kept.len())];
            let other = &self.kept[self.rng.usize(..self.kept.len())];
            let steps = mutated(&mut self.rng, base, other);
            return run(&mut self.world, steps, &self.slot, coverage);
        }
        let left = self.rng.usize(50..400);
        let mut rng = self.rng.fork();
        let rng = &mut rng;
        run(
            &mut self.world,
            Generator { rng, left },
            &self.slot,
            coverage,
        )
    }

    fn judge(&mut self, run: Run) -> Result<()> {
        if run.new_edges > 0 {
            self.slot.kept.fetch_add(1, Ordering::Relaxed);
            match self.kept.len() < KEPT {
                true => self.kept.push(run.sequence.clone()),
                false => {
                    let victim = self.rng.usize(..KEPT);
                    self.kept[victim] = run.sequence.clone();
                }
            }
        }
        let Some(what) = run.finding else {
            return Ok(());
        };
        self.slot.findings.fetch_add(1, Ordering::Relaxed);
        let finding = Finding {
            what,
            sequence: run.sequence,
        };
        // What happened, before it is tried again.
        println!("{}", finding.line()?);
        let shorter = minimised(&mut self.world, finding.clone())?;
        if shorter.sequence.0.len() < finding.sequence.0.len() {
            println!("{}", shorter.line()?);
        }
        Ok(())
    }
}
