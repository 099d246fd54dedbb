// SPDX-License-Identifier: GPL-2.0
//! Scenario 18: many revokes in the middle of transfers, and no write after one.
//!
//! The pages that a truncation frees are the first that the file gets again: what
//! a device wrote there afterwards would be seen.

use std::{path::PathBuf, thread, time::Duration};

use anyhow::{bail, ensure, Context as _, Result};
use pinlease::Policy;

use super::common::{file, hold, LIMIT, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, Receiver, Sender},
        process::Tied,
        residue, Engine, EngineState, Import, Mapped, Stamp,
    },
};

/// Generations of the CPU, which no device writes.
const CPU: u64 = 0xc000_0000;

/// How long a device that does not obey would have to be seen.
const WATCHED: Duration = Duration::from_millis(2);

/// Somebody who truncates the file when he is told to.
struct Breaker {
    _process: Tied,
    orders: Sender<()>,
    answers: Receiver<i32>,
}

impl Breaker {
    fn start(path: PathBuf) -> Result<Self> {
        let (orders, mut receive) = channel::<()>()?;
        let (answer, answers) = channel::<i32>()?;
        let process = Tied::spawn(move || {
            while receive.receive(LIMIT)?.is_some() {
                let cut = nix::unistd::truncate(&path, 0);
                answer.send(&cut.err().map_or(0, |errno| errno as i32))?;
            }
            Ok(())
        })?;
        Ok(Self {
            _process: process,
            orders,
            answers,
        })
    }

    fn cut(&mut self) -> Result<()> {
        self.orders.send(&())?;
        match self.answers.receive(LIMIT)? {
            Some(0) => Ok(()),
            Some(errno) => bail!("truncate: {}", nix::errno::Errno::from_raw(errno)),
            None => bail!("the breaker is gone"),
        }
    }
}

/// Runs the scenario.
pub fn check(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut breaker = Breaker::start(mapped.path().to_owned())?;
    let mut passes = 0;
    for round in 0..context.revokes {
        let way = [Import::Revocable, Import::Fenced][round as usize % 2];
        passes += once(&mapped, &mut breaker, way, round)
            .with_context(|| format!("revoke {round} of {}, {way:?}", context.revokes))?;
    }
    println!(
        "{} revokes; the device had made {passes} passes",
        context.revokes
    );
    residue::none_left()
}

fn once(mapped: &Mapped, breaker: &mut Breaker, way: Import, round: u64) -> Result<u64> {
    mapped.file().set_len(mapped.length() as u64)?;
    let (lease, _, buffer) = hold(mapped, Policy::Revoke, Duration::from_millis(1))?;
    let engine = Engine::open()?;
    engine.import(&buffer, way)?;
    engine.start(1, Duration::ZERO)?;
    let before = engine.wait_passes(1)?;
    breaker.cut()?;
    // From here on nothing may be written by the device.
    let revoked = engine.status()?;
    ensure!(
        revoked.state == EngineState::Revoked,
        "the breaker passed, the device is {:?}",
        revoked.state
    );
    mapped.file().set_len(mapped.length() as u64)?;
    mapped.stamp_by_cpu(CPU + round);
    thread::sleep(WATCHED);
    let later = engine.status()?;
    ensure!(
        later.passes == revoked.passes,
        "{} passes after the revoke",
        later.passes - revoked.passes
    );
    for page in 0..PAGES {
        let stamp = Stamp::read(&mapped.load(page), page);
        ensure!(
            stamp == Stamp::Whole(CPU + round),
            "page {page} was written after the revoke: {stamp:?}"
        );
    }
    drop((engine, buffer, lease));
    mapped.file().set_len(0)?;
    Ok(before.passes)
}
