// SPDX-License-Identifier: GPL-2.0
//! From times and generations to places in a picture.

use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};

/// An axis from 0 to a greatest value.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// 0 is at `from`, `most` at `to`; a scale of nothing is one to 1.
    pub fn new(most: u64, from: f64, to: f64) -> Self {
        let most = most.max(1) as f64;
        Self { most, from, to }
    }

    /// The greatest value.
    pub fn most(&self) -> u64 {
        self.most as u64
    }

    /// Where a value is; what is beyond the end is at the end.
    pub fn at(&self, value: u64) -> f64 {
        let part = (value as f64 / self.most).min(1.0);
        self.from + part * (self.to - self.from)
    }

    /// Round values for about `count` ticks.
    pub fn ticks(&self, count: usize) -> Vec<u64> {
        let points = RangedCoordf64::from(0.0..self.most).key_points(count);
        let mut ticks: Vec<_> = points
            .into_iter()
            .map(|point| point.round() as u64)
            .collect();
        ticks.dedup();
        ticks
    }
}

/// A time, in the unit that all ticks up to `most` have; both in microseconds.
pub fn time(micros: u64, most: u64) -> String {
    if most >= 2_000_000 {
        format!("{} s", micros as f64 / 1e6)
    } else {
        format!("{} ms", micros as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_where_they_are_put() {
        let scale = Scale::new(200, 10.0, 110.0);
        assert_eq!(
            [0, 100, 200, 300].map(|value| scale.at(value)),
            [10.0, 60.0, 110.0, 110.0]
        );
        // Downwards, as generations grow.
        assert_eq!(Scale::new(2, 100.0, 0.0).at(1), 50.0);
    }

    #[test]
    fn nothing_can_be_drawn_too() {
        assert_eq!(Scale::new(0, 0.0, 10.0).at(0), 0.0);
        assert_eq!(Scale::new(0, 0.0, 10.0).at(1), 10.0);
    }

    #[test]
    fn ticks_are_round_and_differ() {
        let ticks = Scale::new(10_097_749, 0.0, 1.0).ticks(6);
        assert!((3..=8).contains(&ticks.len()), "{ticks:?}");
        assert!(ticks.iter().all(|tick| tick % 1_000_000 == 0), "{ticks:?}");
        assert_eq!(Scale::new(2, 0.0, 1.0).ticks(8), [0, 1, 2]);
    }

    #[test]
    fn units() {
        assert_eq!(time(2_500_000, 9_000_000), "2.5 s");
        assert_eq!(time(40_000, 45_000), "40 ms");
    }
}
