// SPDX-License-Identifier: GPL-2.0
//! Where the power is cut.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use crate::record::{Fact, Published};

/// A cut.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Cut {
    /// How many entries of the log the disk was given.
    pub position: usize,
    /// Decides what is left of the cache.
    pub seed: u64,
}

/// Chooses `count` cuts of a log of `entries` entries, in the order of their positions: one where the log ends, and the
/// others half right behind a record, when most is asked for, half anywhere after the first one that states something.
/// The same seed chooses the same.
///
/// There are none when nothing was stated.
pub fn choose(published: &[Published], entries: usize, count: usize, seed: u64) -> Vec<Cut> {
    let states = |published: &&Published| {
        let facts = &published.record.facts;
        facts.iter().any(|fact| matches!(fact, Fact::Holds { .. }))
    };
    let begin = published
        .iter()
        .position(|published| published.record.facts.contains(&Fact::Begin));
    let after = begin.map_or(&[][..], |begin| &published[begin..]);
    let records: Vec<_> = after
        .iter()
        .filter(states)
        .map(|published| published.position)
        .collect();
    let Some(&first) = records.first() else {
        return Vec::new();
    };
    let mut random = Rng::with_seed(seed);
    let mut cuts: Vec<_> = (0..count)
        .map(|index| {
            let position = match index {
                0 => entries,
                _ if random.bool() => records[random.usize(..records.len())],
                _ => random.usize(first..=entries),
            };
            Cut {
                position,
                seed: random.u64(..),
            }
        })
        .collect();
    cuts.sort_by_key(|cut| cut.position);
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn published() -> Vec<Published> {
        let at = |position, fact| Published {
            position,
            slot: 0,
            record: Record {
                seed: 1,
                facts: vec![fact],
            },
        };
        let holds = || Fact::Holds {
            file: "a".into(),
            origin: 0,
            first: 0,
            pages: 1,
            generation: 1,
            last: None,
        };
        vec![
            at(10, Fact::Begin),
            at(50, holds()),
            at(70, holds()),
            at(90, holds()),
        ]
    }

    #[test]
    fn there_is_something_to_compare() {
        let cuts = choose(&published(), 100, 200, 3);
        assert_eq!(cuts.len(), 200);
        assert!(cuts.is_sorted_by_key(|cut| cut.position));
        assert!(cuts.iter().all(|cut| (50..=100).contains(&cut.position)));
        assert_eq!(cuts.last().unwrap().position, 100);
        let at_records = cuts
            .iter()
            .filter(|cut| [50, 70, 90].contains(&cut.position));
        assert!((70..150).contains(&at_records.count()));
        assert!(choose(&published()[..1], 100, 5, 3).is_empty());
        assert!(choose(&published()[1..], 100, 5, 3).is_empty());
    }

    #[test]
    fn seeds_decide() {
        let choose = |seed| choose(&published(), 1000, 20, seed);
        assert_eq!(choose(5), choose(5));
        assert_ne!(choose(5), choose(6));
    }
}
