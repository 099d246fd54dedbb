// SPDX-License-Identifier: GPL-2.0
//! What the disk must hold when the power is cut, from what was published before.

use std::collections::BTreeMap;

use crate::record::{Fact, Published, GENERATIONS};

/// What a file must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Required {
    /// The page that the device calls page 0.
    pub origin: u64,
    /// The least generation of every word, for each page of which something was published.
    pub pages: BTreeMap<u64, u64>,
    /// The last generation that any word can be of.
    pub newest: u64,
}

impl Required {
    /// Pages that the file must have.
    pub fn length(&self) -> u64 {
        self.pages.keys().next_back().map_or(0, |last| last + 1)
    }
}

/// What the disk must hold when the power is cut at `position`, file by file.
pub fn required(all: &[Published], position: usize) -> BTreeMap<String, Required> {
    let mut files = BTreeMap::<String, (u8, Required)>::new();
    for Published {
        slot,
        record,
        position: from,
    } in all
    {
        if *from > position {
            break;
        }
        for fact in &record.facts {
            match fact {
                Fact::Begin | Fact::Reached { .. } => {}
                Fact::Forget { file } => {
                    files.remove(file);
                }
                Fact::Holds {
                    file,
                    origin,
                    first,
                    pages,
                    generation,
                    last,
                } => {
                    let (_, required) = files.entry(file.clone()).or_insert_with(|| {
                        let required = Required {
                            origin: *origin,
                            pages: BTreeMap::new(),
                            newest: generation | (GENERATIONS - 1),
                        };
                        (*slot, required)
                    });
                    if let Some(last) = last {
                        required.newest = *last;
                    }
                    for page in *first..first + pages {
                        let least = required.pages.entry(page).or_default();
                        *least = (*least).max(*generation);
                    }
                }
            }
        }
    }
    let bound = |(file, (slot, mut required)): (String, (u8, Required))| {
        if let Some(newest) = newest(all, position, slot, &file) {
            required.newest = required.newest.min(newest);
        }
        (file, required)
    };
    files.into_iter().map(bound).collect()
}

/// The last generation of a file that can be on the disk: what its publisher says in a record that it began after the
/// cut. That is true of all but its first one, which it may have begun before.
fn newest(all: &[Published], position: usize, slot: u8, file: &str) -> Option<u64> {
    all.iter()
        .filter(|published| published.position > position && published.slot == slot)
        .skip(1)
        .flat_map(|published| &published.record.facts)
        .find_map(|fact| match fact {
            Fact::Reached {
                file: other,
                generation,
            } if other == file => Some(*generation),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn holds(first: u64, pages: u64, generation: u64) -> Fact {
        Fact::Holds {
            file: "a".into(),
            origin: 2,
            first,
            pages,
            generation,
            last: None,
        }
    }

    fn reached(generation: u64) -> Fact {
        Fact::Reached {
            file: "a".into(),
            generation,
        }
    }

    fn at(position: usize, slot: u8, facts: Vec<Fact>) -> Published {
        let record = Record { seed: 1, facts };
        Published {
            position,
            slot,
            record,
        }
    }

    #[test]
    fn what_was_published_before_the_cut_must_be_there() {
        let base = 5 * GENERATIONS;
        let all = [
            at(3, 0, vec![holds(2, 4, base + 1)]),
            at(9, 0, vec![holds(3, 1, base + 7)]),
            at(12, 0, vec![Fact::Forget { file: "a".into() }]),
        ];
        assert!(required(&all, 2).is_empty());
        let first = &required(&all, 8)["a"];
        assert_eq!((first.origin, first.length()), (2, 6));
        assert!(first.pages.values().all(|least| *least == base + 1));
        let second = &required(&all, 9)["a"];
        let least: Vec<_> = second.pages.iter().map(|(p, g)| (*p, g - base)).collect();
        assert_eq!(least, [(2, 1), (3, 7), (4, 1), (5, 1)]);
        assert_eq!(second.newest, base + GENERATIONS - 1);
        assert!(required(&all, 12).is_empty());
    }

    #[test]
    fn an_older_generation_does_not_take_back_a_newer_one() {
        let all = [
            at(3, 0, vec![holds(0, 2, 9)]),
            at(4, 1, vec![holds(0, 2, 8)]),
        ];
        assert_eq!(required(&all, 4)["a"].pages[&0], 9);
    }

    #[test]
    fn what_is_finished_does_not_change() {
        let Fact::Holds {
            file,
            origin,
            first,
            pages,
            ..
        } = holds(2, 2, 0)
        else {
            unreachable!();
        };
        let last = Fact::Holds {
            file,
            origin,
            first,
            pages,
            generation: 9,
            last: Some(10),
        };
        let all = [at(3, 0, vec![holds(2, 2, 8)]), at(5, 0, vec![last])];
        assert!(required(&all, 4)["a"].newest > 9);
        let finished = &required(&all, 5)["a"];
        assert_eq!((finished.pages[&2], finished.newest), (9, 10));
    }

    #[test]
    fn nothing_comes_from_after_the_cut() {
        let all = [
            at(3, 0, vec![holds(0, 1, 10), reached(11)]),
            // Begun before the cut at 5, perhaps; so its numbers may be too small.
            at(6, 0, vec![holds(0, 1, 20), reached(21)]),
            at(7, 1, vec![reached(1)]),
            at(9, 0, vec![holds(0, 1, 30), reached(31)]),
        ];
        assert_eq!(required(&all, 5)["a"].newest, 31);
        assert_eq!(required(&all, 8)["a"].newest, GENERATIONS - 1);
    }
}
