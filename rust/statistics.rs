// SPDX-License-Identifier: GPL-2.0

//! What the hooks, the leases and the snapshots did since the module was loaded, in
//! `/sys/kernel/debug/pinlease`.
//!
//! Everything is counted by relaxed atomics, where work is done anyway; nothing is counted for a page
//! that nobody leased. Documentation/observing.rst says what the files have. No address is among it.

pub(crate) mod activity;
pub(crate) mod breaks;
pub(crate) mod counter;
pub(crate) mod latency;
pub(crate) mod totals;

use crate::{hook::HOOKS, snapshot};
use kernel::{
    debugfs::{Dir, File},
    fmt,
    prelude::*,
};

/// The directory and its files.
#[pin_data]
pub(crate) struct Statistics {
    _directory: Dir,
    #[pin]
    hooks: File<()>,
    #[pin]
    reserve: File<()>,
    #[pin]
    leases: File<()>,
    #[pin]
    totals: File<()>,
    #[pin]
    latencies: File<()>,
}

impl Statistics {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let directory = Dir::new(c"pinlease");
        try_pin_init!(Self {
            hooks <- directory.read_callback_file(c"hooks", (), &hooks),
            reserve <- directory.read_callback_file(c"snapshots_from_reserve", (), &from_reserve),
            leases <- directory.read_callback_file(c"leases", (), &activity::show),
            totals <- directory.read_callback_file(c"totals", (), &totals::show),
            latencies <- directory.read_callback_file(c"latencies", (), &latency::show),
            _directory: directory.clone(),
        })
    }
}

/// A line for each hook: its name, on how many functions it is installed, its calls.
fn hooks(_: &(), lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    for hook in HOOKS {
        let functions = hook.targets().count();
        writeln!(lines, "{} {functions} {}", hook.name, hook.hits())?;
    }
    Ok(())
}

fn from_reserve(_: &(), lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(lines, "{}", snapshot::FROM_RESERVE.get())
}
