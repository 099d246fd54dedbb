// SPDX-License-Identifier: GPL-2.0
//! How a holder, and who watches, learns of breaks.

mod namespace;
mod overflow;
mod read;
mod record;
mod signal;
mod watch;

use std::{fs::File, time::Duration};

use anyhow::{Context as _, Result};
use pinlease::{Device, Event, Lease, Pin, PinOptions, Policy};

use crate::{
    harness::{Context, Test},
    support::{channel::readable, expect::from_io, page_size, Breaking, Fill, Handler, Mapped},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.events-break", record::breaks),
    Test::new("breaks.events-withdrawn", record::withdrawn),
    Test::new("breaks.events-refused", record::refused),
    Test::new("breaks.events-namespace", namespace::namespaces),
    Test::new("breaks.events-read", read::blocking),
    Test::new("breaks.events-size", read::sizes),
    Test::new("breaks.events-poll", read::polling),
    Test::new("breaks.events-signal", signal::signals),
    Test::new("breaks.events-owner", signal::owner),
    Test::new("breaks.events-overflow", overflow::overflow),
    Test::new("breaks.events-watch", watch::everything),
    Test::new("breaks.events-watch-user", watch::own_user),
];

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 16;
/// Leased: these pages, …
const FIRST: u64 = 4;
const LEASED: u64 = 8;
/// … from this byte on.
const OFFSET: u64 = FIRST * PAGE;

const LIMIT: Duration = Duration::from_secs(15);

/// A file of which this very process holds a lease.
struct Own {
    device: Device,
    mapped: Mapped,
    file: File,
}

impl Own {
    fn new(context: &Context) -> Result<Self> {
        context.load_modules()?;
        let mapped = Mapped::create(&context.path("events"), PAGES, Fill::Faulted)?;
        Ok(Self {
            device: Device::open()?,
            file: mapped.file().try_clone()?,
            mapped,
        })
    }

    /// Leases the middle of it; this process must not be killed.
    fn lease(&self, policy: Policy, grace: Duration) -> Result<Lease> {
        assert_ne!(policy, Policy::Kill);
        Ok(self
            .device
            .lease(&self.mapped)
            .range(OFFSET, LEASED * PAGE)
            .policy(policy)
            .grace(grace)
            .acquire()?)
    }

    fn pin<'a>(&self, lease: &'a Lease) -> Result<Pin<'a>> {
        let length = LEASED as usize * page_size();
        Ok(lease.pin(self.mapped.address(FIRST), length, PinOptions::default())?)
    }

    /// Cuts the file in the middle of the lease.
    fn cut(&self) -> Result<Breaking> {
        Breaking::begin(Handler::Interrupts, || from_io(self.file.set_len(CUT)))
    }

    /// Cuts it in this process.
    fn cut_here(&self) -> nix::Result<()> {
        from_io(self.file.set_len(CUT))
    }
}

/// Where it is cut.
const CUT: u64 = OFFSET + 2 * PAGE;

/// The next event, which must come soon.
fn next(lease: &Lease) -> Result<Event> {
    use std::os::fd::AsFd;
    anyhow::ensure!(readable(lease.as_fd(), LIMIT)?, "no event");
    lease.read_event().context("reading an event")
}
