// SPDX-License-Identifier: GPL-2.0

//! How long things took, as histograms of nanoseconds.

use crate::{policy::histogram::Histogram, sys::clock};
use kernel::fmt;

/// What is timed.
pub(crate) struct Latency {
    name: &'static str,
    histogram: Histogram,
}

impl Latency {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            histogram: Histogram::new(),
        }
    }

    /// It has taken since `began`, by [`clock::now`], until now; returns how long that is. Any context
    /// but NMI.
    pub(crate) fn note_since(&self, began: u64) -> u64 {
        let took = clock::now().saturating_sub(began);
        self.histogram.add(took);
        took
    }
}

/// From when a breaker came to a lease until the way was free.
pub(crate) static BREAK: Latency = Latency::new("break");

/// How long an fsync of a leased file looked for what changed and made it dirty, before the
/// filesystem's own began.
pub(crate) static FSYNC_REARM: Latency = Latency::new("fsync_rearm");

/// From the submission of a snapshot, before the copy, to the end of its bio.
pub(crate) static SNAPSHOT: Latency = Latency::new("snapshot");

/// ACQUIRE, of those that succeeded.
pub(crate) static ACQUIRE: Latency = Latency::new("acquire");

/// Those of them that were the first, and had the hooks installed.
pub(crate) static FIRST_ACQUIRE: Latency = Latency::new("first_acquire");

static ALL: [&Latency; 5] = [&BREAK, &FSYNC_REARM, &SNAPSHOT, &ACQUIRE, &FIRST_ACQUIRE];

/// A line with the names of the columns, and one for each bucket that is not empty.
pub(super) fn show(_: &(), lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(lines, "latency from_ns to_ns count")?;
    for latency in ALL {
        for bucket in latency.histogram.buckets() {
            let (from, to, count) = (bucket.from, bucket.to, bucket.count);
            writeln!(lines, "{} {from} {to} {count}", latency.name)?;
        }
    }
    Ok(())
}
