// SPDX-License-Identifier: GPL-2.0
//! What the tests of dma-bufs share.

use std::time::Duration;

use anyhow::Result;
use pinlease::{Device, DmaBuf, ExportOptions, Lease, PinOptions, Policy};

use crate::{
    harness::Context,
    support::{page_size, DirectReader, Fill, Mapped, Requirement},
};

/// Pages of the file.
pub const PAGES: u64 = 16;

/// Bytes of a page.
pub const PAGE: usize = page_size();

/// No policy acts before a test is over.
pub const AGES: Duration = Duration::from_secs(50);

/// What must happen soon does within this time.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A file, with the modules loaded.
pub fn file(context: &Context) -> Result<Mapped> {
    context.load_modules()?;
    Mapped::create(&context.path("dmabuf"), PAGES, Fill::Faulted)
}

/// The disk has all that was written in a generation, after an fsync.
pub fn durable(mapped: &Mapped, generation: u64) -> Result<()> {
    mapped.file().sync_all()?;
    DirectReader::open(mapped.path())?
        .census(mapped.pages(), Requirement::Exactly(generation))?
        .all_kept()
}

/// A lease on all of a file, all of it pinned, and all of that exported.
pub fn hold(mapped: &Mapped, policy: Policy, grace: Duration) -> Result<(Lease, u64, DmaBuf)> {
    let device = Device::open()?;
    let lease = device.lease(mapped).policy(policy).grace(grace).acquire()?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
    let id = pin.into_id();
    let buffer = lease.export(id, ExportOptions::default())?;
    Ok((lease, id, buffer))
}
