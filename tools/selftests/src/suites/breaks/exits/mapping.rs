// SPDX-License-Identifier: GPL-2.0
//! The memory goes or moves while it is pinned.

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{map_shared, Device, Lease, PinOptions, Policy};

use super::{cut, file, resumes, waits, AGES};
use crate::{
    harness::{Context, TestResult},
    support::{channel::channel, process, Engine, Mapped, Requirement},
};

/// A mapping of a whole file that nobody unmaps in the end.
struct Mapping {
    address: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    fn of(mapped: &Mapped) -> Result<Self> {
        let length = mapped.length();
        Ok(Self {
            address: map_shared(mapped, 0, length)?.as_ptr().cast(),
            length,
        })
    }

    fn pin(&self, lease: &Lease) -> Result<u64> {
        let pin = lease.pin(self.address.cast(), self.length, PinOptions::default());
        Ok(pin?.into_id())
    }

    fn unmap(&self) -> Result<()> {
        // SAFETY: the mapping is ours, and nothing refers to it.
        Errno::result(unsafe { libc::munmap(self.address, self.length) })?;
        Ok(())
    }

    /// Moves it somewhere else.
    fn move_away(&mut self) -> Result<()> {
        // A place that is free for sure.
        // SAFETY: a new mapping at an address of the kernel's choice.
        let place = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                self.length,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(place != libc::MAP_FAILED, "mmap: {}", Errno::last());
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: both mappings are ours, and nothing refers to them.
        let moved = unsafe { libc::mremap(self.address, self.length, self.length, flags, place) };
        ensure!(moved == place, "mremap: {}", Errno::last());
        self.address = moved;
        Ok(())
    }
}

/// The mapping is gone; the pin stays, the device writes on, and a breaker
/// waits for the pin.
pub fn unmapped(context: &Context) -> TestResult {
    with(context, |mapping, _| mapping.unmap())
}

/// The mapping is elsewhere; and what is there can be pinned.
pub fn moved(context: &Context) -> TestResult {
    with(context, |mapping, lease| {
        mapping.move_away()?;
        let pin = mapping.pin(lease).context("PIN of what was moved")?;
        lease.unpin(pin)?;
        Ok(())
    })
}

fn with(context: &Context, change: impl Fn(&mut Mapping, &Lease) -> Result<()>) -> TestResult {
    let mapped = file(context)?;
    let (order, mut orders) = channel::<u32>()?;
    let (say, mut said) = channel::<u32>()?;
    let holder = process::spawn(|| {
        let lease = Device::open()?
            .lease(&mapped)
            .policy(Policy::Kill)
            .grace(AGES)
            .acquire()?;
        let mut mapping = Mapping::of(&mapped)?;
        let pin = mapping.pin(&lease)?;
        let engine = Engine::open()?;
        engine.attach(&lease, pin)?;
        engine.start(1, Duration::from_millis(1))?;
        engine.wait_passes(1)?;
        change(&mut mapping, &lease)?;
        let written = engine.wait_passes(1)?.completed;
        mapped.file().sync_all()?;
        say.send(&(written as u32))?;
        orders.receive(AGES)?;
        engine
            .wait_passes(1)
            .context("in the middle of the break")?;
        Ok(())
    })?;
    let written = said.receive(AGES)?.context("the holder failed")?;
    let requirement = Requirement::AtLeast(written.into());
    crate::support::DirectReader::open(mapped.path())?
        .census(mapped.pages(), requirement)?
        .all_kept()?;
    let breaking = cut(mapped.path())?;
    waits(&breaking)?;
    order.send(&1)?;
    resumes(breaking)?;
    holder.join()
}
