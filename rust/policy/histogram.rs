// SPDX-License-Identifier: GPL-2.0

//! Histograms with a bucket for each power of two.

use core::sync::atomic::{AtomicU64, Ordering};

/// The last bucket has everything from 2^42 on, of nanoseconds more than an hour.
pub const BUCKETS: usize = 44;

/// How often there was a value of which size. Adding is one relaxed addition; who reads meanwhile
/// may miss the newest.
pub struct Histogram([AtomicU64; BUCKETS]);

/// A bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// The smallest value in it.
    pub from: u64,
    /// The largest.
    pub to: u64,
    /// How many there were.
    pub count: u64,
}

impl Histogram {
    /// An empty one.
    #[allow(clippy::new_without_default, reason = "it lives in statics")]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Counts a value.
    pub fn add(&self, value: u64) {
        self.0[index(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// The buckets that have a value, by size.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let buckets = self.0.iter().enumerate().map(|(index, count)| Bucket {
            from: smallest(index),
            to: largest(index),
            count: count.load(Ordering::Relaxed),
        });
        buckets.filter(|bucket| bucket.count != 0)
    }
}

/// The bucket of a value: 0 for 0, else its number of bits.
fn index(value: u64) -> usize {
    ((u64::BITS - value.leading_zeros()) as usize).min(BUCKETS - 1)
}

fn smallest(index: usize) -> u64 {
    match index {
        0 => 0,
        index => 1 << (index - 1),
    }
}

fn largest(index: usize) -> u64 {
    match index + 1 {
        BUCKETS => u64::MAX,
        next => smallest(next) - 1,
    }
}
