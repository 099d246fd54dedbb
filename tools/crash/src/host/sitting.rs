// SPDX-License-Identifier: GPL-2.0
//! A sitting: all cuts of some runs are judged, one after the other.

use std::{fs::File, io::Write, path::Path};

use anyhow::{ensure, Context, Result};
use selftests::support::Filesystem;

use super::{
    judging::Judge,
    options::Options,
    report::{Line, Tally},
    run::Run,
};
use crate::{
    cache,
    cuts::{choose, Cut},
    image::Image,
    log::Log,
    observation::{Observation, Order},
    published::required,
    record::published,
    verdict::{judge, order, Verdict},
};

/// Guests that may die over one state, before it is the state's fault.
const ATTEMPTS: u32 = 2;

/// A sitting on one filesystem.
#[derive(Debug)]
pub struct Sitting<'a> {
    options: &'a Options,
    filesystem: Filesystem,
    /// For the guest's disks.
    folder: &'a Path,
    judge: Option<Judge>,
    /// States so far.
    states: u64,
    /// Where a line for each cut goes.
    lines: &'a File,
}

impl<'a> Sitting<'a> {
    /// Begins.
    pub fn new(
        options: &'a Options,
        filesystem: Filesystem,
        folder: &'a Path,
        lines: &'a File,
    ) -> Self {
        Self {
            options,
            filesystem,
            folder,
            judge: None,
            states: 0,
            lines,
        }
    }

    /// Judges all cuts of a run; returns how many violations there are.
    ///
    /// # Errors
    ///
    /// The log cannot be used, or no guest can be booted.
    pub fn judge(&mut self, run: &Run, log: &Path, tally: &mut Tally) -> Result<u32> {
        let log = Log::open(File::open(log)?)?;
        let records = published(&log, self.filesystem, run.seed)?;
        let entries = log.entries().len();
        let cuts = choose(&records, entries, run.cuts as usize, run.seed);
        ensure!(
            cuts.len() == run.cuts as usize,
            "nothing was published in {run:?}, {entries} entries"
        );
        let disk = run.disk(&records);
        let (mut durable, mut image, mut violations) = (0, Image::default(), 0);
        for cut in cuts {
            let Cut { position, seed } = cut;
            let remains = cache::cut(log.entries(), position, disk, seed);
            image.advance(&log, durable..remains.durable)?;
            durable = remains.durable;
            let mut state = image.clone();
            state.settle(&log, durable, &remains.fates)?;
            let required = required(&records, position);
            self.states += 1;
            let order = order(self.states, self.filesystem, &required);
            let (seen, attempts) = self.look(&state, &order)?;
            let (verdict, seconds) = match seen {
                Ok(seen) => (judge(&required, &seen), seen.seconds),
                Err(why) => (Verdict::unseen(why), 0.0),
            };
            tally.add(run, &verdict);
            violations += u32::from(verdict.is_violation());
            let before = records.iter().filter(|record| record.position <= position);
            let line = Line {
                run,
                cut,
                entries,
                durable,
                records: before.count(),
                verdict: &verdict,
                attempts,
                seconds,
            };
            writeln!(&mut &*self.lines, "{}", serde_json::to_string(&line)?)?;
        }
        Ok(violations)
    }

    /// What a guest sees, or why none does, and how many were needed.
    fn look(&mut self, state: &Image, order: &Order) -> Result<(Result<Observation, String>, u32)> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let judge = match &mut self.judge {
                Some(judge) => judge,
                none => none.insert(Judge::new(self.options, self.filesystem, self.folder)?),
            };
            match judge.look(state, order.clone()) {
                Ok(seen) => return Ok((Ok(seen), attempts)),
                Err(error) => {
                    eprintln!("crash: state {}: {error:#}", order.number);
                    self.judge = None;
                    if attempts == ATTEMPTS {
                        return Ok((Err(format!("{error:#}")), attempts));
                    }
                }
            }
        }
    }

    /// Ends.
    ///
    /// # Errors
    ///
    /// The guest fails in the end.
    pub fn end(self) -> Result<()> {
        self.judge.map_or(Ok(()), Judge::end).context("in the end")
    }
}
