// SPDX-License-Identifier: GPL-2.0
//! Leases beside what else arbitrates access to files, and breakers that hold
//! locks: these are refused, and never wait.

mod flags;
mod locks;
mod loops;
mod overlay;
mod plain;

use std::time::Duration;

use anyhow::{ensure, Result};
use pinlease::Policy;

use crate::{
    harness::Test,
    support::{page_size, Holder, HolderPlan, Kind, Mapped, Seen},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.coexist-locks", locks::locks),
    Test::new("breaks.coexist-plain-after", plain::after),
    Test::new("breaks.coexist-plain-before", plain::before),
    Test::new("breaks.coexist-overlay-upper", overlay::upper),
    Test::new("breaks.coexist-overlay-lower", overlay::lower),
    Test::new("breaks.coexist-overlay-lease", overlay::through),
    Test::new("breaks.coexist-loop", loops::discard),
    Test::new("breaks.coexist-flags", flags::flags),
];

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 16;
const LIMIT: Duration = Duration::from_secs(15);
/// Nobody waits for it.
const AGES: Duration = Duration::from_secs(60);
/// "At once", under emulation.
const SOON: Duration = Duration::from_secs(5);

/// Leases and pins all of `mapped`, by a process that answers nothing.
fn hold(mapped: &Mapped) -> Result<Holder> {
    HolderPlan::new(0..mapped.pages(), Policy::Kill, AGES)
        .idle()
        .start(mapped)
}

/// The holder was told of one refusal, and of nothing else.
fn one_refusal(holder: &mut Holder) -> Result<Seen> {
    let event = holder.wait_event(LIMIT, |event| event.kind == Kind::Refused)?;
    let events = holder.events()?;
    ensure!(events.len() == 1, "the holder read {events:?}");
    Ok(event)
}
