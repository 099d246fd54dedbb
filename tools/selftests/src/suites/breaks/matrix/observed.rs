// SPDX-License-Identifier: GPL-2.0
//! What happened in a cell, and whether it is what must happen.

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use nix::{errno::Errno, sys::wait::WaitStatus};

use super::{
    cell::SLACK,
    column::{Column, Reply},
    model::{Expected, Fate, Until},
};
use crate::support::{Broken, Done, Ended, Seen};

/// Between the reading of the clock for the deadline and for the event.
const CLOCKS: Duration = Duration::from_millis(50);

/// What happened.
#[derive(Debug)]
pub struct Observed {
    /// The breaker's process.
    pub breaker: i32,
    /// What it did.
    pub operation: String,
    /// The grace, if it is waited for.
    pub grace: Duration,
    /// How it returned; `None`: it was killed.
    pub broken: Option<Broken>,
    /// When it got a signal.
    pub signalled: Option<Duration>,
    /// The lease's state afterwards, if its holder lives.
    pub state: Option<Done>,
    /// How the holder ended.
    pub ended: Ended,
}

impl Observed {
    /// Such as `ok 31` or `EINTR 402 killed`.
    pub fn describe(&self) -> String {
        let breaker = match self.broken {
            None => "dies".into(),
            Some(broken) => {
                let result = broken
                    .result()
                    .map_or_else(|errno| format!("{errno:?}"), |()| "ok".into());
                format!("{result} {}", broken.took().as_millis())
            }
        };
        let fate = match &self.state {
            None => " killed",
            Some(state) if state.state == "withdrawn" => " revoked",
            Some(_) => "",
        };
        breaker + fate
    }

    /// Compares it with what must happen.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn judge(&self, column: Column, expected: &Expected) -> Result<()> {
        let result = self.broken.map(Broken::result);
        ensure!(
            result == expected.result,
            "the breaker: {result:?}, expected {:?}",
            expected.result
        );
        self.judge_events(expected)?;
        self.judge_time(expected)?;
        self.judge_fate(expected)?;
        self.judge_answer(column, expected)
    }

    fn judge_events(&self, expected: &Expected) -> Result<()> {
        let words: Vec<&str> = self.events().map(|event| event.kind.word()).collect();
        let complete = words == expected.events;
        let cut =
            expected.fate == Fate::Killed && words == expected.events[..expected.events.len() - 1];
        ensure!(
            complete || cut,
            "the holder read {words:?}, expected {:?}",
            expected.events
        );
        for event in self.events() {
            ensure!(
                event.pid == Some(self.breaker),
                "the breaker is {}, not: {event:?}",
                self.breaker
            );
            ensure!(
                event.operation.as_deref() == Some(&self.operation),
                "the breaker does {}, not: {event:?}",
                self.operation
            );
        }
        if expected.fate != Fate::Lives {
            let event = self.events().find(|event| event.is_break());
            let event = event.context("no break")?;
            let deadline = event.deadline().context("no deadline")?;
            let told = deadline.saturating_sub(event.time);
            ensure!(
                told.abs_diff(self.grace) < CLOCKS,
                "{told:?} from the break to its deadline, the grace is {:?}",
                self.grace
            );
        }
        Ok(())
    }

    fn events(&self) -> impl Iterator<Item = &Seen> {
        self.ended.events.iter()
    }

    /// The breaker returned neither too early nor much too late.
    fn judge_time(&self, expected: &Expected) -> Result<()> {
        let Some(broken) = self.broken else {
            return Ok(());
        };
        let (what, earliest) = match expected.until {
            Until::Begin => ("it began", broken.begin),
            Until::Answer => {
                let answer = self.ended.answer.as_ref();
                let answer = answer.context("the holder gave no answer")?;
                ("the answer", answer.begin)
            }
            Until::Deadline => {
                let deadline = self.events().find_map(Seen::deadline);
                ("the deadline", deadline.context("no deadline")?)
            }
            Until::Signal => {
                let signal = self.signalled.context("no signal was sent")?;
                ("the signal", signal)
            }
        };
        ensure!(
            broken.end >= earliest,
            "the breaker returned {:?} before {what}",
            earliest.abs_diff(broken.end)
        );
        ensure!(
            broken.end <= earliest + SLACK,
            "the breaker returned {:?} after {what}",
            broken.end.abs_diff(earliest)
        );
        // It must not have waited for the policy.
        if expected.until == Until::Begin {
            if let Some(deadline) = self.events().find_map(Seen::deadline) {
                ensure!(broken.end < deadline, "the breaker waited for the grace");
            }
        }
        Ok(())
    }

    fn judge_fate(&self, expected: &Expected) -> Result<()> {
        match (expected.fate, &self.state) {
            (Fate::Killed, _) => ensure!(
                self.ended.was_killed(),
                "the holder was not killed: {:?}",
                self.ended.status
            ),
            (_, None) => bail!("the holder is gone"),
            (Fate::Lives, Some(state)) => ensure!(
                state.state != "withdrawn" && state.device != "Revoked",
                "withdrawn: {state:?}"
            ),
            (Fate::Withdrawn, Some(state)) => ensure!(
                state.state == "withdrawn"
                    && state.pins == 0
                    && ["", "Revoked"].contains(&state.device.as_str()),
                "not withdrawn: {state:?}"
            ),
        }
        if expected.fate != Fate::Killed {
            ensure!(
                matches!(self.ended.status, WaitStatus::Exited(_, 0)),
                "the holder ended with {:?}",
                self.ended.status
            );
        }
        Ok(())
    }

    /// An answer in time is accepted, one that is too late is not.
    fn judge_answer(&self, column: Column, expected: &Expected) -> Result<()> {
        let Some(answer) = &self.ended.answer else {
            return Ok(());
        };
        let late = column.reply == Reply::Late && expected.fate == Fate::Withdrawn;
        // One that is being killed may still have tried.
        let dying = expected.fate == Fate::Killed && answer.result() == Err(Errno::ENODEV);
        let expected = if late { Err(Errno::ENODEV) } else { Ok(()) };
        ensure!(
            dying || answer.result() == expected,
            "the answer got {:?}, expected {expected:?}",
            answer.result()
        );
        Ok(())
    }
}
