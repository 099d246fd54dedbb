// SPDX-License-Identifier: GPL-2.0
//! What a run does, by its seed.

use std::time::Duration;

use fastrand::Rng;

/// What is the same all through a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recipe {
    /// How soon the flusher writes.
    pub flusher: Flusher,
    /// What happens to memory.
    pub pressure: Pressure,
    /// Whether another process asks for durability, too.
    pub others: bool,
}

/// How soon the flusher writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flusher {
    /// As always.
    Usual,
    /// What is dirty for a second.
    Hasty,
    /// Never.
    Idle,
}

/// What happens to memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pressure {
    /// Nothing.
    None,
    /// Caches are dropped and memory is compacted.
    Caches,
    /// The same, and most of it is taken away.
    Memory,
}

impl Recipe {
    /// The recipe of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        Self {
            flusher: match random.u8(..4) {
                0 => Flusher::Usual,
                1 => Flusher::Idle,
                _ => Flusher::Hasty,
            },
            pressure: match random.u8(..4) {
                0 => Pressure::Memory,
                1 => Pressure::Caches,
                _ => Pressure::None,
            },
            others: random.bool(),
        }
    }
}

/// A time in a run with the same files and devices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Episode {
    /// The devices.
    pub devices: Vec<DeviceRecipe>,
    /// How often something is published.
    pub rounds: u32,
}

/// A file with its device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceRecipe {
    /// How the file is made.
    pub fill: Filling,
    /// Its pages.
    pub pages: u64,
    /// The first that is pinned.
    pub first: u64,
    /// How many are.
    pub pinned: u64,
    /// How, under pinlease.
    pub pin: PinKind,
    /// Between two passes of the device.
    pub pause: Duration,
    /// Whether the last data are made durable by a call before the unpin, rather than by one after it.
    pub before_unpin: bool,
}

/// How a file is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Filling {
    /// By page faults.
    Faulted,
    /// By write(2).
    Written,
    /// Not at all: it is one hole.
    Sparse,
    /// By fallocate(2).
    Preallocated,
    /// As a clone of another, where the filesystem has clones.
    Cloned,
}

/// How memory is pinned under pinlease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinKind {
    /// By the lease.
    Plain,
    /// By the lease, and the holder says what was written.
    Marked,
    /// By the driver, under a lease with a grant.
    Grant,
}

/// How somebody asks for durability.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// fsync(2).
    Fsync,
    /// fdatasync(2).
    Datasync,
    /// msync(2) of a part.
    Msync,
    /// syncfs(2).
    Syncfs,
    /// sync(2).
    Sync,
}

impl Way {
    /// Any.
    pub fn any(random: &mut Rng) -> Self {
        match random.u8(..10) {
            0..4 => Self::Fsync,
            4..6 => Self::Datasync,
            6..8 => Self::Msync,
            8 => Self::Syncfs,
            _ => Self::Sync,
        }
    }
}

impl Episode {
    /// Episode `number` of a run.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut random = Rng::with_seed(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // More that never pause would leave the processors to nobody else.
        let tireless = random.usize(..3);
        let devices = (0..random.usize(1..=3))
            .map(|index| device(&mut random, index == tireless))
            .collect();
        Self {
            devices,
            rounds: random.u32(6..40),
        }
    }
}

fn device(random: &mut Rng, tireless: bool) -> DeviceRecipe {
    let fill = match random.u8(..5) {
        0 => Filling::Faulted,
        1 => Filling::Written,
        2 => Filling::Sparse,
        3 => Filling::Preallocated,
        _ => Filling::Cloned,
    };
    let pages = random.u64(4..=64);
    let (first, pinned) = if random.bool() {
        (0, pages)
    } else {
        let first = random.u64(..pages);
        (first, random.u64(1..=pages - first))
    };
    DeviceRecipe {
        fill,
        pages,
        first,
        pinned,
        pin: match random.u8(..4) {
            0 => PinKind::Marked,
            1 => PinKind::Grant,
            _ => PinKind::Plain,
        },
        pause: if tireless {
            Duration::ZERO
        } else {
            Duration::from_micros(random.u64(200..3000))
        },
        before_unpin: random.bool(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_decide_and_differ() {
        assert_eq!(Recipe::new(3), Recipe::new(3));
        assert_eq!(Episode::new(3, 4), Episode::new(3, 4));
        assert_ne!(Episode::new(3, 4), Episode::new(3, 5));
        assert_ne!(Episode::new(3, 4), Episode::new(4, 4));
    }

    #[test]
    fn everything_happens_and_pins_lie_in_their_files() {
        let (mut fills, mut pins, mut tireless) = (Vec::new(), Vec::new(), 0);
        for number in 0..100 {
            for device in Episode::new(1, number).devices {
                assert!(device.pinned > 0 && device.first + device.pinned <= device.pages);
                fills.push(device.fill);
                pins.push(device.pin);
                tireless += usize::from(device.pause.is_zero());
            }
        }
        for fill in [
            Filling::Faulted,
            Filling::Written,
            Filling::Sparse,
            Filling::Preallocated,
            Filling::Cloned,
        ] {
            assert!(fills.contains(&fill), "{fill:?}");
        }
        for pin in [PinKind::Plain, PinKind::Marked, PinKind::Grant] {
            assert!(pins.contains(&pin), "{pin:?}");
        }
        assert!(tireless > 10 && tireless <= 100);
    }
}
