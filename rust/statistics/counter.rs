// SPDX-License-Identifier: GPL-2.0

//! Numbers that only rise, and numbers that rise and fall.

use core::sync::atomic::{AtomicU64, Ordering};

/// Only rises. Any context.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Rises and falls, and remembers its peak. Any context.
pub(crate) struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    pub(crate) const fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            peak: AtomicU64::new(0),
        }
    }

    pub(crate) fn rise(&self, by: u64) {
        let now = self.now.fetch_add(by, Ordering::Relaxed) + by;
        // Most of the time it is no new peak, and the line can stay shared.
        if now > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Undoes [`rise`](Self::rise).
    pub(crate) fn fall(&self, by: u64) {
        self.now.fetch_sub(by, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}
