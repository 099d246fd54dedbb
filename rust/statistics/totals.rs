// SPDX-License-Identifier: GPL-2.0

//! Sums over all leases since the module was loaded, and what is in use now.

use super::{
    breaks::Outcome,
    counter::{Counter, Gauge},
};
use crate::snapshot;
use kernel::fmt;

/// Bios that wrote a snapshot.
pub(crate) static SNAPSHOTS: Counter = Counter::new();

/// Bytes that were copied for them.
pub(crate) static BOUNCED_BYTES: Counter = Counter::new();

/// Bytes of memory in snapshots whose bio has not ended.
pub(crate) static BOUNCE_MEMORY: Gauge = Gauge::new();

/// Folios that were made dirty again.
pub(crate) static REARMED: Counter = Counter::new();

/// Folios of which that failed, and snapshots whose write failed.
pub(crate) static ERRORS: Counter = Counter::new();

/// Pages that were left alone because they are as they were written.
pub(crate) static UNCHANGED_PAGES: Counter = Counter::new();

/// A line for each number: its name, and the number.
pub(super) fn show(_: &(), lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    let numbers = [
        ("snapshots", SNAPSHOTS.get()),
        ("snapshots_in_flight", snapshot::in_flight()),
        ("snapshots_from_reserve", snapshot::FROM_RESERVE.get()),
        ("bounced_bytes", BOUNCED_BYTES.get()),
        ("bounce_memory_bytes", BOUNCE_MEMORY.now()),
        ("bounce_memory_peak_bytes", BOUNCE_MEMORY.peak()),
        ("rearmed", REARMED.get()),
        ("unchanged_pages", UNCHANGED_PAGES.get()),
        ("errors", ERRORS.get()),
    ];
    for (name, number) in numbers {
        writeln!(lines, "{name} {number}")?;
    }
    for outcome in Outcome::ALL {
        writeln!(lines, "breaks_{} {}", outcome.name(), outcome.counted())?;
    }
    Ok(())
}
