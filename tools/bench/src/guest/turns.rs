// SPDX-License-Identifier: GPL-2.0
//! Measuring two things in turn.

use std::time::Duration;

use anyhow::Result;
use pinlease::monotonic;

use crate::{
    measured::{Measured, Sides, Unit},
    statistics::median,
};

/// What `action` takes, nanoseconds.
pub(super) fn timed<T>(action: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begin = monotonic();
    action()?;
    Ok(nanoseconds(monotonic() - begin))
}

/// What one of `times` takes, nanoseconds.
pub(super) fn each(times: u64, mut action: impl FnMut() -> Result<()>) -> Result<f64> {
    let all = timed(|| (0..times).try_for_each(|_| action()))?;
    Ok(all / times as f64)
}

pub(super) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// Two sides of a comparison, a pair for each round.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    /// Measures both `rounds` times in turn, the reference first, after a round that does not count:
    /// it finds nothing in the caches.
    pub(super) fn in_turn(
        rounds: u32,
        mut theirs: impl FnMut() -> Result<f64>,
        mut ours: impl FnMut() -> Result<f64>,
    ) -> Result<Self> {
        let mut pairs = Self::default();
        for round in 0..=rounds {
            let (theirs, ours) = (theirs()?, ours()?);
            if round > 0 {
                pairs.add(ours, theirs);
            }
        }
        Ok(pairs)
    }

    pub(super) fn add(&mut self, ours: f64, theirs: f64) {
        self.0.push((ours, theirs));
    }

    /// What ours takes, beside theirs.
    pub(super) fn cost(&self, name: impl Into<String>, reference: &str, unit: Unit) -> Measured {
        self.figure(name, reference, unit, |(ours, theirs)| ours / theirs)
    }

    /// How fast ours is, beside theirs; both are times.
    pub(super) fn speed(&self, name: impl Into<String>, reference: &str, unit: Unit) -> Measured {
        self.figure(name, reference, unit, |(ours, theirs)| theirs / ours)
    }

    fn figure(
        &self,
        name: impl Into<String>,
        reference: &str,
        unit: Unit,
        ratio: fn((f64, f64)) -> f64,
    ) -> Measured {
        let sides = Sides {
            ours: median(self.0.iter().map(|pair| pair.0)),
            theirs: median(self.0.iter().map(|pair| pair.1)),
            unit,
        };
        Measured {
            name: name.into(),
            unit: Unit::Ratio,
            values: self.0.iter().copied().map(ratio).collect(),
            reference: reference.into(),
            sides: Some(sides),
            place: None,
        }
    }
}

/// A figure that is no ratio.
pub(super) fn plain(
    name: impl Into<String>,
    reference: &str,
    unit: Unit,
    values: Vec<f64>,
) -> Measured {
    Measured {
        name: name.into(),
        unit,
        values,
        reference: reference.into(),
        sides: None,
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_does_not_count() {
        let (mut first, mut second) = ([9.0, 2.0, 4.0].into_iter(), [1.0, 3.0, 2.0].into_iter());
        let pairs = Pairs::in_turn(
            2,
            || Ok(first.next().unwrap()),
            || Ok(second.next().unwrap()),
        );
        let pairs = pairs.unwrap();
        let cost = pairs.cost("x", "y", Unit::Ns);
        assert_eq!(cost.values, [1.5, 0.5]);
        assert_eq!(pairs.speed("x", "y", Unit::Ns).values, [2.0 / 3.0, 2.0]);
        let sides = cost.sides.unwrap();
        assert_eq!((sides.ours, sides.theirs), (2.5, 3.0));
    }
}
