// SPDX-License-Identifier: GPL-2.0

//! What was done for one lease.
//!
//! Where the ranges of leases overlap, what is done to a page there counts for each of them; who
//! wants sums reads the [totals](super::totals).

use super::counter::Counter;
use crate::{lease::Lease, policy::range::PAGE_SIZE, registry};
use kernel::fmt;

/// Counts since the lease was acquired.
#[derive(Default)]
pub(crate) struct Activity {
    /// How often GUP was told that others may pin there.
    pub(crate) grants: Counter,
    /// Bios that wrote a snapshot of some of its pages.
    pub(crate) snapshots: Counter,
    /// Bytes of its pages that were copied for that.
    pub(crate) bounced_bytes: Counter,
    /// Folios that were made dirty again.
    pub(crate) rearmed: Counter,
    /// Bytes in those.
    pub(crate) rearmed_bytes: Counter,
    /// Pages that were left alone because they are as they were written.
    pub(crate) unchanged_pages: Counter,
    /// Breakers of which its holder was told.
    pub(crate) breaks: Counter,
}

/// A line with the names of the columns, and one for each lease. May sleep.
pub(super) fn show(_: &(), lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(
        lines,
        "id device inode state pins pinned_bytes granted_bytes grants snapshots bounced_bytes \
         rearmed rearmed_bytes unchanged_pages breaks"
    )?;
    let mut after = 0;
    while let Some(lease) = registry::lease_after(after) {
        after = lease.id;
        show_lease(&lease, lines)?;
    }
    Ok(())
}

fn show_lease(lease: &Lease, lines: &mut fmt::Formatter<'_>) -> fmt::Result {
    // One that ended just now.
    let Some((range, state)) = lease.state() else {
        return Ok(());
    };
    let (file, activity) = (lease.file(), &lease.activity);
    let (major, minor) = file.super_block().device();
    let (pins, pages) = lease.pinned();
    writeln!(
        lines,
        "{} {major}:{minor} {} {} {pins} {} {} {} {} {} {} {} {} {}",
        lease.id,
        file.inode().number(),
        state.phase().name(),
        pages * PAGE_SIZE,
        lease.granted_bytes(range),
        activity.grants.get(),
        activity.snapshots.get(),
        activity.bounced_bytes.get(),
        activity.rearmed.get(),
        activity.rearmed_bytes.get(),
        activity.unchanged_pages.get(),
        activity.breaks.get(),
    )
}
