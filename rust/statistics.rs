// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/pinlease`: what the hooks and the snapshots did.

use crate::{hook::HOOKS, snapshot};
use core::sync::atomic::Ordering;
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
}

impl Statistics {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let directory = Dir::new(c"pinlease");
        try_pin_init!(Self {
            hooks <- directory.read_callback_file(c"hooks", (), &hooks),
            reserve <- directory.read_callback_file(c"snapshots_from_reserve", (), &from_reserve),
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
    writeln!(lines, "{}", snapshot::FROM_RESERVE.load(Ordering::Relaxed))
}
