// SPDX-License-Identifier: GPL-2.0
//! What was measured.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{held::Kind, median::median};

/// Durations by kind of lease.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<Kind, Vec<Duration>>);

impl Figures {
    /// Adds one.
    pub fn add(&mut self, kind: Kind, took: Duration) {
        let all = self.0.entry(kind).or_default();
        all.insert(all.partition_point(|&other| other < took), took);
    }

    fn of(&self, kind: Kind) -> &[Duration] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }

    fn median(&self, kind: Kind) -> f64 {
        median(self.of(kind).iter().copied().map(microseconds))
    }

    fn ratio(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        ours: Kind,
        theirs: Kind,
    ) -> fmt::Result {
        let (our, their) = (self.median(ours), self.median(theirs));
        let (ratio, rounds) = (our / their, self.of(ours).len());
        writeln!(
            f,
            "{what}: ratio {ratio:.2} ({ours} {our:.0} us, {theirs} {their:.0} us, rounds {rounds})"
        )
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (&kind, all) in &self.0 {
            let (Some(&min), Some(&max)) = (all.first(), all.last()) else {
                continue;
            };
            let (median, min, max) = (self.median(kind), microseconds(min), microseconds(max));
            writeln!(
                f,
                "{kind:28} median {median:8.0} us, min {min:8.0} us, max {max:8.0} us"
            )?;
        }
        let name = "release-to-resume";
        self.ratio(f, name, Kind::Pinlease, Kind::FileLease)?;
        let pinned = "release-to-resume, pinned";
        self.ratio(f, pinned, Kind::Pinned, Kind::FileLeaseMapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let mut figures = Figures::default();
        for us in [30, 10, 20, 40] {
            figures.add(Kind::Pinlease, Duration::from_micros(us));
        }
        figures.add(Kind::FileLease, Duration::from_micros(20));
        let text = figures.to_string();
        assert!(text.contains(
            "release-to-resume: ratio 1.25 (pinlease 25 us, F_SETLEASE 20 us, rounds 4)"
        ));
    }
}
