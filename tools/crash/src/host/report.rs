// SPDX-License-Identifier: GPL-2.0
//! What came out.

use std::{collections::BTreeMap, fmt};

use selftests::{harness::Side, support::Filesystem};
use serde::Serialize;

use super::run::Run;
use crate::{cuts::Cut, verdict::Verdict};

/// A line of `crash.jsonl`: a cut with all that makes it again.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// The run.
    #[serde(flatten)]
    pub run: &'a Run,
    /// The cut.
    pub cut: Cut,
    /// Entries of the run's log.
    pub entries: usize,
    /// Of those before the cut, how many are durable.
    pub durable: usize,
    /// Records before the cut.
    pub records: usize,
    /// What was found.
    pub verdict: &'a Verdict,
    /// Guests that were needed.
    pub attempts: u32,
    /// How long the guest looked.
    pub seconds: f64,
}

/// Cuts of one side.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// All that were judged.
    pub cuts: u32,
    /// Those that broke a promise.
    pub violations: u32,
}

impl Count {
    /// Adds one.
    pub fn add(&mut self, verdict: &Verdict) {
        self.cuts += 1;
        self.violations += u32::from(verdict.is_violation());
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violations={}/{}", self.violations, self.cuts)
    }
}

/// All cuts.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<(Filesystem, &'static str), Count>);

impl Tally {
    /// Adds a cut.
    pub fn add(&mut self, run: &Run, verdict: &Verdict) {
        let count = self.0.entry((run.filesystem, run.side.name()));
        count.or_default().add(verdict);
    }

    /// What a side came to.
    pub fn of(&self, filesystem: Filesystem, side: Side) -> Count {
        let count = self.0.get(&(filesystem, side.name()));
        count.copied().unwrap_or_default()
    }

    /// The line of a filesystem, and whether it is as it should be: all cuts judged, violations on the stock kernel and
    /// none under pinlease.
    pub fn line(&self, filesystem: Filesystem, cuts: u32) -> (String, bool) {
        let [stock, pinlease] = Side::BOTH.map(|side| self.of(filesystem, side));
        let right = [stock, pinlease].iter().all(|count| count.cuts == cuts)
            && stock.violations > 0
            && pinlease.violations == 0;
        (
            format!("crash: {filesystem} stock {stock} pinlease {pinlease}"),
            right,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(stock: &[bool], pinlease: &[bool]) -> Tally {
        let mut tally = Tally::default();
        for (side, cuts) in Side::BOTH.into_iter().zip([stock, pinlease]) {
            let run = Run {
                filesystem: Filesystem::Ext4,
                side,
                seed: 1,
                cuts: 2,
                mutant: None,
            };
            for violated in cuts {
                let lost = u64::from(*violated);
                tally.add(
                    &run,
                    &Verdict {
                        lost,
                        ..Verdict::default()
                    },
                );
            }
        }
        tally
    }

    #[test]
    fn the_line() {
        let (line, right) = tally(&[true, false], &[false, false]).line(Filesystem::Ext4, 2);
        assert_eq!(
            line,
            "crash: ext4 stock violations=1/2 pinlease violations=0/2"
        );
        assert!(right);
    }

    #[test]
    fn only_one_outcome_is_right() {
        let right =
            |stock: &[bool], pinlease: &[bool]| tally(stock, pinlease).line(Filesystem::Ext4, 2).1;
        assert!(!right(&[false, false], &[false, false]));
        assert!(!right(&[true, true], &[true, false]));
        assert!(!right(&[true], &[false, false]));
        assert!(!right(&[true, true], &[false]));
        assert!(!right(&[true, true], &[]));
    }
}
