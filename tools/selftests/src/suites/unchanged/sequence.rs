// SPDX-License-Identifier: GPL-2.0
//! Random sequences of all that writes, makes durable, and pins, with few
//! contents, so that the same ones come again and again.

use std::ops::Range;

use anyhow::{ensure, Context as _, Result};
use fastrand::Rng;

use super::subject::{direct_write_soon, Subject};
use crate::{
    harness::{Context, Side, TestResult},
    support::{sysctl::drop_caches, DirectReader, Fill, Stamp},
};

const PAGES: u64 = 24;

/// Generations are less than that.
const CONTENTS: u64 = 3;

/// Most devices at a time.
const DEVICES: usize = 2;

/// Losses that are printed.
const PRINTED: u64 = 5;

/// One step.
#[derive(Clone, Debug)]
enum Step {
    /// A device writes.
    Device(usize, Range<u64>, u64),
    /// The CPU stores.
    Store(u64, u64),
    /// The CPU writes.
    Write(u64, u64),
    /// Writeback of which pinlease is not told.
    Writeback,
    /// O_DIRECT reading, which writes back what is dirty.
    Read(u64),
    DropCaches,
    Pin,
    Unpin,
    /// The lease ends, and a new one begins.
    Lease,
    /// The same, with a direct write in between.
    DirectWrite(Range<u64>, u64),
    Fsync,
    Fdatasync,
    Syncfs,
    Msync(Range<u64>),
}

fn range(random: &mut Rng) -> Range<u64> {
    let begin = random.u64(..PAGES);
    begin..random.u64(begin + 1..=PAGES)
}

impl Step {
    fn random(random: &mut Rng) -> Self {
        let generation = random.u64(..CONTENTS);
        let page = random.u64(..PAGES);
        match random.u32(..100) {
            0..34 => Self::Device(random.usize(..DEVICES), range(random), generation),
            34..39 => Self::Store(page, generation),
            39..44 => Self::Write(page, generation),
            44..52 => Self::Writeback,
            52..56 => Self::Read(page),
            56..58 => Self::DropCaches,
            58..62 => Self::Pin,
            62..66 => Self::Unpin,
            66..67 => Self::Lease,
            67..69 => Self::DirectWrite(range(random), generation),
            69..85 => Self::Fsync,
            85..88 => Self::Fdatasync,
            88..91 => Self::Syncfs,
            _ => Self::Msync(range(random)),
        }
    }
}

/// The file, and what must be in it.
struct Run {
    side: Side,
    subject: Subject,
    /// Generation of each page, as whoever maps the file sees it.
    memory: Vec<u64>,
    /// Pages that were read after somebody asked for durability, …
    seen: u64,
    /// … and those of them that were not durable.
    lost: u64,
}

impl Run {
    fn set(&mut self, pages: Range<u64>, generation: u64) {
        self.memory[pages.start as usize..pages.end as usize].fill(generation);
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Device(number, pages, generation) => {
                let number = number % self.subject.devices();
                self.subject.device(number, pages.clone(), generation)?;
                self.set(pages, generation);
            }
            Step::Store(page, generation) => {
                self.subject.store(page, generation);
                self.set(page..page + 1, generation);
            }
            Step::Write(page, generation) => {
                self.subject.buffered_write(page, generation)?;
                self.set(page..page + 1, generation);
            }
            Step::Writeback => self.subject.untold_writeback()?,
            Step::Read(page) => {
                let mut reader = DirectReader::open(self.subject.mapped.path())?;
                reader.stamp(page, page)?;
            }
            Step::DropCaches => drop_caches()?,
            Step::Pin if self.subject.devices() < DEVICES => self.subject.pin()?,
            Step::Unpin if self.subject.devices() > 1 => self.subject.unpin()?,
            Step::Pin | Step::Unpin => {
                self.subject.unpin()?;
                self.subject.pin()?;
            }
            Step::Lease => {
                self.subject.close()?;
                self.subject.acquire()?;
                self.subject.pin()?;
            }
            Step::DirectWrite(pages, generation) => {
                self.subject.close()?;
                let path = self.subject.mapped.path();
                direct_write_soon(path, pages.clone(), generation)?;
                self.set(pages, generation);
                self.subject.acquire()?;
                self.subject.pin()?;
            }
            Step::Fsync => {
                self.subject.fsync()?;
                self.check(0..PAGES)?;
            }
            Step::Fdatasync => {
                self.subject
                    .mapped
                    .file()
                    .sync_data()
                    .context("fdatasync")?;
                self.check(0..PAGES)?;
            }
            Step::Syncfs => {
                nix::unistd::syncfs(self.subject.mapped.file()).context("syncfs")?;
                self.check(0..PAGES)?;
            }
            Step::Msync(pages) => {
                let count = pages.end - pages.start;
                let synced = self.subject.mapped.msync(pages.start, count);
                synced.context("msync")?;
                self.check(pages)?;
            }
        }
        Ok(())
    }

    /// These pages must be on the disk as the memory has them.
    fn check(&mut self, pages: Range<u64>) -> Result<()> {
        let mut reader = DirectReader::open(self.subject.mapped.path())?;
        for page in pages {
            let memory = Stamp::read(&self.subject.mapped.load(page), page);
            let wanted = Stamp::Whole(self.memory[page as usize]);
            // Without a lease, what a device wrote goes with the page cache.
            ensure!(
                memory == wanted || self.side == Side::Stock,
                "the memory of page {page} is {memory:?}, the model says {wanted:?}"
            );
            self.seen += 1;
            let disk = reader.stamp(page, page)?;
            if disk != wanted {
                self.lost += 1;
                if self.lost > PRINTED {
                    continue;
                }
                println!("page {page} on the disk is {disk:?}, not {wanted:?}");
            }
        }
        Ok(())
    }
}

/// See above; on the stock side something must get lost.
pub fn sequence(context: &Context) -> TestResult {
    let seed = context.seed();
    println!("--seed {seed}");
    let mut random = Rng::with_seed(seed);
    let mut lost = 0;
    for fill in [Fill::Faulted, Fill::Written] {
        let mut run = Run {
            side: context.side,
            subject: Subject::new(context, PAGES, fill)?,
            memory: vec![0; PAGES as usize],
            seen: 0,
            lost: 0,
        };
        let mut history = Vec::new();
        for _ in 0..context.rounds * 5 {
            let step = Step::random(&mut random);
            history.push(step.clone());
            let result = run.step(step);
            if result.is_err() || (run.lost > 0 && context.side != Side::Stock) {
                let last = history.len().saturating_sub(30);
                println!("the last steps: {:?}", &history[last..]);
                result?;
                break;
            }
        }
        println!(
            "{fill:?}: {} steps, {} pages read, {} lost",
            history.len(),
            run.seen,
            run.lost
        );
        ensure!(run.seen > 0, "nothing was looked at");
        lost += run.lost;
    }
    if context.side == Side::Stock {
        ensure!(lost > 0, "the control shows no loss");
    } else {
        ensure!(lost == 0, "{lost} pages were lost");
    }
    Ok(())
}
