// SPDX-License-Identifier: GPL-2.0
//! The clock of events and deadlines.

use std::time::Duration;

use nix::time::{clock_gettime, ClockId};

/// The present time of `CLOCK_MONOTONIC`, in which events and deadlines are
/// told.
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// A deadline as the structures carry it: 0 stands for never.
pub(crate) fn deadline(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != 0).then(|| Duration::from_nanos(nanoseconds))
}
