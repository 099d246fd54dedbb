// SPDX-License-Identifier: GPL-2.0
//! A volatile write cache, and what is left of it when the power is cut.
//!
//! What was done before the last flush is durable, and so is a write with FUA. Of the rest each request is kept, dropped,
//! or kept in part, sector by sector. Which of two requests for the same sector came last is not turned around when both
//! are kept: the older one alone stands for that. A sector is never torn.

use fastrand::Rng;

use crate::log::Entry;

/// What becomes of a request that was not durable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is on the disk.
    Kept,
    /// It is not.
    Dropped,
    /// These of its sectors are.
    Part(Vec<bool>),
}

/// How much of the cache reaches the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Luck {
    Nothing,
    Everything,
    /// So many of a hundred requests, some of them in part.
    Some(u8),
}

impl Luck {
    fn new(random: &mut Rng) -> Self {
        match random.u8(..6) {
            0 => Self::Nothing,
            1 => Self::Everything,
            _ => Self::Some(random.u8(5..=95)),
        }
    }

    fn fate(self, entry: &Entry, random: &mut Rng) -> Fate {
        let kept = |kept| if kept { Fate::Kept } else { Fate::Dropped };
        match self {
            Self::Nothing => Fate::Dropped,
            Self::Everything => Fate::Kept,
            Self::Some(percent) => {
                if entry.sectors > 1 && !entry.discard && random.u8(..4) == 0 {
                    part(entry.sectors, random)
                } else {
                    kept(random.u8(..100) < percent)
                }
            }
        }
    }
}

/// Some of the sectors: the first ones, the last ones, or any.
fn part(sectors: u64, random: &mut Rng) -> Fate {
    let bound = random.u64(..=sectors);
    Fate::Part(match random.u8(..3) {
        0 => (0..sectors).map(|sector| sector < bound).collect(),
        1 => (0..sectors).map(|sector| sector >= bound).collect(),
        _ => (0..sectors).map(|_| random.bool()).collect(),
    })
}

/// How the disk behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disk {
    /// It does what it is told.
    Honest,
    /// From this position on it only says so: nothing is durable. A mutant, to show that flushes matter.
    Lying(usize),
}

/// What is left when the power is cut.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remains {
    /// All entries before this one are on the disk.
    pub durable: usize,
    /// What became of those after them, in order.
    pub fates: Vec<Fate>,
}

/// Cuts the power when the disk had been given the first `position` entries; the same seed leaves the same.
pub fn cut(entries: &[Entry], position: usize, disk: Disk, seed: u64) -> Remains {
    let mut random = Rng::with_seed(seed);
    let luck = Luck::new(&mut random);
    let last_flush = entries[..position].iter().rposition(|entry| entry.flush);
    let mut durable = last_flush.unwrap_or(0);
    if let Disk::Lying(from) = disk {
        durable = durable.min(from);
    }
    let fates = entries[durable..position]
        .iter()
        .map(|entry| {
            let fate = luck.fate(entry, &mut random);
            if entry.fua && disk == Disk::Honest {
                Fate::Kept
            } else {
                fate
            }
        })
        .collect();
    Remains { durable, fates }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        image::Image,
        log::{making, Log, SECTOR},
    };

    /// Sectors of the disks in these tests.
    const SECTORS: u64 = 24;

    /// A request with its content, one byte for each sector.
    #[derive(Clone, Debug)]
    struct Request {
        entry: Entry,
        fill: u8,
    }

    fn request() -> impl Strategy<Value = Request> {
        let place = (0..SECTORS).prop_flat_map(|first| (Just(first), 1..=SECTORS - first));
        let kind = prop_oneof![
            6 => Just((false, false, false)),
            2 => Just((true, false, false)),
            2 => Just((false, true, false)),
            1 => Just((false, false, true)),
            1 => Just((true, true, false)),
        ];
        (place, kind, 1..=u8::MAX).prop_map(|((first, count), (flush, fua, discard), fill)| {
            let entry = if flush && !fua {
                Entry::flush()
            } else {
                Entry {
                    flush,
                    fua,
                    discard,
                    ..Entry::write(first, count, 0)
                }
            };
            Request { entry, fill }
        })
    }

    fn log_of(requests: &[Request]) -> Log<Vec<u8>> {
        let mut bytes = making::superblock();
        for Request { entry, fill } in requests {
            let length = if entry.discard { 0 } else { entry.sectors };
            making::append(
                &mut bytes,
                entry,
                &vec![*fill; usize::try_from(length).unwrap() * SECTOR],
            );
        }
        Log::open(bytes).unwrap()
    }

    /// The disk by another way: what each sector may hold, from the requests alone.
    fn possible(requests: &[Request], sector: u64) -> Vec<u8> {
        let mut values = vec![0];
        for Request { entry, fill } in requests {
            if entry.flush {
                // Only the newest is left of what came before.
                values.drain(..values.len() - 1);
            }
            if (entry.sector..entry.sector + entry.sectors).contains(&sector) {
                if entry.fua {
                    values.clear();
                }
                values.push(if entry.discard { 0 } else { *fill });
            }
        }
        values
    }

    fn sector_of(image: &Image, sector: u64) -> [u8; SECTOR] {
        let mut bytes = [0; SECTOR];
        image.read(sector * SECTOR as u64, &mut bytes);
        bytes
    }

    fn state(log: &Log<Vec<u8>>, position: usize, disk: Disk, seed: u64) -> Image {
        let remains = cut(log.entries(), position, disk, seed);
        let mut image = Image::default();
        image.advance(log, 0..remains.durable).unwrap();
        image.settle(log, remains.durable, &remains.fates).unwrap();
        image
    }

    proptest! {
        /// Nothing that was flushed or forced is ever dropped, and nothing is there that was not written.
        #[test]
        fn each_sector_holds_what_it_may(
            requests in prop::collection::vec(request(), 0..40),
            position in any::<prop::sample::Index>(),
            seed: u64,
        ) {
            let log = log_of(&requests);
            prop_assert_eq!(log.entries().len(), requests.len());
            let position = position.index(requests.len() + 1);
            let image = state(&log, position, Disk::Honest, seed);
            for sector in 0..SECTORS {
                let bytes = sector_of(&image, sector);
                prop_assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a torn sector");
                let values = possible(&requests[..position], sector);
                prop_assert!(values.contains(&bytes[0]), "sector {}: {} of {:?}", sector, bytes[0], values);
            }
        }

        /// All of the log replayed is the disk as it was written.
        #[test]
        fn everything_is_the_disk(requests in prop::collection::vec(request(), 0..40)) {
            let log = log_of(&requests);
            let mut image = Image::default();
            image.advance(&log, 0..requests.len()).unwrap();
            let mut plain = vec![0; usize::try_from(SECTORS).unwrap() * SECTOR];
            for Request { entry, fill } in &requests {
                let at = |sector: u64| usize::try_from(sector).unwrap() * SECTOR;
                plain[at(entry.sector)..at(entry.sector + entry.sectors)]
                    .fill(if entry.discard { 0 } else { *fill });
            }
            let mut replayed = vec![0xee; plain.len()];
            image.read(0, &mut replayed);
            prop_assert_eq!(replayed, plain);
        }

        /// The same seed leaves the same.
        #[test]
        fn seeds_decide(requests in prop::collection::vec(request(), 1..40), seed: u64) {
            let log = log_of(&requests);
            let all = requests.len();
            prop_assert_eq!(
                cut(log.entries(), all, Disk::Honest, seed),
                cut(log.entries(), all, Disk::Honest, seed)
            );
        }
    }

    fn fates(position: usize, disk: Disk) -> Vec<Vec<Fate>> {
        // Two writes, a flush, a write with FUA, and one more.
        let forced = Entry {
            fua: true,
            ..Entry::write(4, 8, 0)
        };
        let entries = [
            Entry::write(0, 8, 0),
            Entry::write(8, 8, 0),
            Entry::flush(),
            forced,
            Entry::write(16, 8, 0),
        ];
        (0..200)
            .map(|seed| {
                let remains = cut(&entries, position, disk, seed);
                assert_eq!(remains.durable + remains.fates.len(), position);
                remains.fates
            })
            .collect()
    }

    #[test]
    fn every_fate_happens_to_what_is_volatile() {
        let last = |fates: &[Fate]| fates.last().unwrap().clone();
        let all: Vec<_> = fates(5, Disk::Honest).iter().map(|f| last(f)).collect();
        assert!(all.contains(&Fate::Kept) && all.contains(&Fate::Dropped));
        assert!(all.iter().any(|fate| matches!(fate, Fate::Part(kept)
            if kept.contains(&true) && kept.contains(&false))));
    }

    #[test]
    fn a_flush_and_fua_bind_an_honest_disk() {
        for fates in fates(5, Disk::Honest) {
            // The flush itself, the forced write, the last one.
            assert_eq!(fates.len(), 3);
            assert_eq!(fates[1], Fate::Kept);
        }
        assert!(fates(2, Disk::Honest).iter().any(|f| f[0] == Fate::Dropped));
    }

    #[test]
    fn a_lying_disk_drops_what_was_flushed() {
        let all = fates(5, Disk::Lying(1));
        assert!(all.iter().all(|fates| fates.len() == 4));
        assert!(all.iter().any(|fates| fates[0] == Fate::Dropped));
        assert!(all.iter().any(|fates| fates[2] == Fate::Dropped));
    }
}
