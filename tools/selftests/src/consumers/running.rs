// SPDX-License-Identifier: GPL-2.0
//! A consumer at work on a file's memory.

use std::{
    fmt,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};

use super::{Equipment, Launch, Layout};
use crate::support::{Census, DirectReader, Mapped, Program, Requirement, Stamp};

/// How long data may take from the device to the memory, under emulation.
const ARRIVAL: Duration = Duration::from_secs(40);

/// How long a program may take to end.
const ENDING: Duration = Duration::from_secs(20);

/// From one generation to the next, while the device never pauses.
const BETWEEN: Duration = Duration::from_millis(5);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(50);

/// A program that ended instead of getting the memory.
#[derive(Debug)]
pub struct Refusal {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it said.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}

/// A consumer whose memory the device writes; dropping it kills it.
#[derive(Debug)]
pub struct Running<'a> {
    program: Program,
    equipment: &'a mut dyn Equipment,
    mapped: &'a Mapped,
    layout: Layout,
}

impl<'a> Running<'a> {
    /// Starts it with the memory of `mapped`; it is started when generation 1
    /// has arrived there.
    ///
    /// # Errors
    ///
    /// Neither do data arrive, nor does the program end.
    pub fn start(
        equipment: &'a mut dyn Equipment,
        mapped: &'a Mapped,
        launch: &Launch,
    ) -> Result<Result<Self, Refusal>> {
        let layout = equipment.layout();
        equipment.before()?;
        let mut command = launch.apply(equipment.command(mapped.path()), mapped.path());
        let program = Program::start(&mut command)?;
        let mut running = Self {
            program,
            equipment,
            mapped,
            layout,
        };
        let started = running
            .equipment
            .started(&mut running.program)
            .and_then(|()| running.write(1));
        let Err(error) = started else {
            return Ok(Ok(running));
        };
        // When its output has ended, so will the program.
        let Ok((status, text)) = running.program.everything(ENDING) else {
            return Err(error);
        };
        Ok(Err(Refusal { status, text }))
    }

    /// Has the device write `generation`; returns when all of it is in memory.
    ///
    /// # Errors
    ///
    /// It does not arrive.
    pub fn write(&mut self, generation: u64) -> Result<()> {
        let begin = Instant::now();
        loop {
            ensure!(!self.program.has_ended()?, "the program ended");
            self.equipment.publish(&mut self.program, generation)?;
            let missing = self.missing(generation);
            let Some(first) = missing.first() else {
                return Ok(());
            };
            if begin.elapsed() > ARRIVAL {
                bail!(
                    "generation {generation} did not arrive within {ARRIVAL:?} in {} pages, the first is {first:?}",
                    missing.len()
                );
            }
            thread::sleep(PAUSE);
        }
    }

    /// What is on the disk of `generation`, after an fsync.
    ///
    /// # Errors
    ///
    /// fsync fails, the disk cannot be read, or the program has ended meanwhile:
    /// what matters is that its memory is still pinned.
    pub fn after_fsync(&mut self, generation: u64) -> Result<Census> {
        self.mapped.file().sync_all().context("fsync")?;
        let mut disk = DirectReader::open(self.mapped.path())?;
        let mut census = Census::default();
        for page in self.layout.pages.clone() {
            let bytes = disk.bytes(page).with_context(|| format!("page {page}"))?;
            let stamp = self.layout.stamp(bytes, page);
            census.count(stamp, Requirement::Exactly(generation));
        }
        ensure!(!self.program.has_ended()?, "the program ended too early");
        Ok(census)
    }

    /// Has the device write one generation after the other; never returns.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub fn publish_on(&mut self) -> Result<()> {
        for generation in 2.. {
            self.equipment.publish(&mut self.program, generation)?;
            thread::sleep(BETWEEN);
        }
        Ok(())
    }

    /// What becomes of the pages in an fsync while the device writes.
    ///
    /// # Errors
    ///
    /// As [`after_fsync`](Self::after_fsync).
    pub fn while_written(&mut self) -> Result<Census> {
        let before: Vec<_> = self
            .layout
            .pages
            .clone()
            .map(|page| self.oldest(page))
            .collect();
        self.mapped.file().sync_all().context("fsync")?;
        let mut disk = DirectReader::open(self.mapped.path())?;
        let mut census = Census::default();
        for (page, oldest) in self.layout.pages.clone().zip(before) {
            census.add(disk.page(page, Requirement::AtLeast(oldest))?);
        }
        ensure!(!self.program.has_ended()?, "the program ended too early");
        Ok(census)
    }

    /// The oldest generation of which something is in memory.
    pub fn oldest_in_memory(&self) -> u64 {
        let pages = self.layout.pages.clone();
        pages.map(|page| self.oldest(page)).min().unwrap_or(0)
    }

    fn oldest(&self, page: u64) -> u64 {
        match self.layout.stamp(&self.mapped.load(page), page) {
            Stamp::Whole(oldest) | Stamp::Mixed { oldest, .. } => oldest,
            // Was never written there, which the disk will show, too.
            Stamp::Foreign => u64::MAX,
        }
    }

    /// Waits until the program is gone; tells which signal killed it.
    ///
    /// # Errors
    ///
    /// It stays, or ends by itself.
    pub fn killed(self) -> Result<i32> {
        let (status, text) = self.program.everything(ENDING)?;
        status
            .signal()
            .with_context(|| format!("ended by itself, {status}: {text}"))
    }

    /// Pages that have something else in memory than `generation`.
    fn missing(&self, generation: u64) -> Vec<(u64, Stamp)> {
        let stamp = |page| self.layout.stamp(&self.mapped.load(page), page);
        let pages = self.layout.pages.clone();
        pages
            .map(|page| (page, stamp(page)))
            .filter(|&(_, stamp)| stamp != Stamp::Whole(generation))
            .collect()
    }
}
