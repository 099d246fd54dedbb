// SPDX-License-Identifier: GPL-2.0
//! What is wrong, and the sequence that shows it.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    operation::{Sequence, Step},
    run::run,
    tally::Uncounted,
    world::World,
};

/// The line of output that has one begins so.
pub const PREFIX: &str = "finding: ";

/// What is wrong.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Finding {
    /// In words.
    pub what: String,
    /// What was done. Empty where it cannot be said.
    pub sequence: Sequence,
}

impl Finding {
    /// As a line of output.
    ///
    /// # Errors
    ///
    /// There can be none.
    pub fn line(&self) -> Result<String> {
        Ok(format!("{PREFIX}{}", serde_json::to_string(self)?))
    }

    /// The finding of a line.
    pub fn of_line(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(PREFIX)?).ok()
    }
}

/// How long a sequence is made shorter.
const PATIENCE: Duration = Duration::from_secs(60);

/// Drops what the finding does not need. It is tried again and again, so that what only happens
/// sometimes stays as it is.
///
/// # Errors
///
/// The test itself is broken.
pub fn minimised(world: &mut World, finding: Finding) -> Result<Finding> {
    let begin = Instant::now();
    let mut best = finding;
    let mut size = best.sequence.0.len() / 2;
    while size > 0 && begin.elapsed() < PATIENCE {
        let mut start = 0;
        let mut shorter = false;
        while start < best.sequence.0.len() && begin.elapsed() < PATIENCE {
            let mut steps: Vec<Step> = best.sequence.0.clone();
            steps.drain(start..(start + size).min(steps.len()));
            let again = run(world, steps.into_iter(), &Uncounted, None)?;
            match again.finding {
                Some(what) => {
                    let sequence = again.sequence;
                    best = Finding { what, sequence };
                    shorter = true;
                }
                None => start += size,
            }
        }
        if !shorter || size > 1 {
            size /= 2;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Actor, Operation};

    #[test]
    fn lines_read_back() {
        let finding = Finding {
            what: "something".into(),
            sequence: Sequence(vec![Step(Actor::Partner, Operation::Query { handle: 3 })]),
        };
        let line = finding.line().unwrap();
        assert_eq!(Finding::of_line(&line), Some(finding));
        assert_eq!(Finding::of_line("something else"), None);
    }
}
