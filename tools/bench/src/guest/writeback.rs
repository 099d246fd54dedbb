// SPDX-License-Identifier: GPL-2.0
//! What writeback costs per page: from nothing loaded to all of the file pinned.

use std::{os::fd::AsRawFd, path::Path, time::Duration};

use anyhow::{ensure, Context, Result};
use nix::errno::Errno;
use pinlease::{Device, Lease, PinOptions, Policy};
use selftests::support::{
    modules::unload_when_unused,
    proc::{hooked_functions, wait_for},
    Fill, Mapped, WriteCounter,
};

use super::{
    disk::{volume, NullDisk},
    pinbench::{Pinbench, Way},
    session::Session,
    turns::{timed, Pairs},
};
use crate::{measured::Unit, mode::Mode, statistics::median};

pub(super) const NAMES: &[&str] = &[
    "idle_writeback",
    "elsewhere_writeback",
    "leased_unpinned_writeback",
    "pinned_writeback",
    "after_writeback",
    "pinned_fsync",
    "bounce_vs_memcpy",
];

/// Other files that are leased and pinned.
const OTHERS: usize = 10;

/// Writebacks in each state, of which the median counts.
const REPEAT: usize = 5;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinbench")?;
    let disk = NullDisk::new("bench", 2048, 1)?;
    let volume = volume(&disk, session.filesystem())?;
    for (fill, suffix) in [(Fill::Faulted, ""), (Fill::Written, "_large")] {
        on(session, volume.dir(), fill, suffix)?;
    }
    if session.mode() == Mode::Wall {
        on(session, session.dir(), Fill::Faulted, "_virtio")?;
    }
    Ok(())
}

/// What is compared with the module not being loaded.
#[derive(Debug, Default)]
struct Found {
    idle: Pairs,
    elsewhere: Pairs,
    unpinned: Pairs,
    pinned: Pairs,
    beyond_copy: Pairs,
    after: Pairs,
    bounce: Pairs,
    fsync: Pairs,
}

fn on(session: &Session<'_>, dir: &Path, fill: Fill, suffix: &str) -> Result<()> {
    let pages = session.either(4096, 1024);
    let mapped = Mapped::create(&dir.join("measured"), pages, fill)?;
    let mut others = Vec::new();
    for number in 0..OTHERS {
        let path = dir.join(format!("other{number}"));
        others.push(Mapped::create(&path, 16, Fill::Faulted)?);
    }
    let bench = Pinbench::open()?;
    let mut found = Found::default();
    for round in 0..=session.rounds() {
        let next = states(session, &mapped, &others, &bench)?;
        // The first finds nothing in the caches.
        if round > 0 {
            next.add_to(&mut found);
        }
    }
    let stock = "writeback of a page, module not loaded";
    for (name, pairs, reference) in [
        ("idle_writeback", &found.idle, stock),
        ("elsewhere_writeback", &found.elsewhere, stock),
        ("leased_unpinned_writeback", &found.unpinned, stock),
        ("pinned_writeback", &found.pinned, stock),
        ("pinned_writeback_beyond_copy", &found.beyond_copy, stock),
        ("after_writeback", &found.after, stock),
        (
            "pinned_fsync",
            &found.fsync,
            "stores to all pages and fsync, module not loaded",
        ),
    ] {
        session.tell(pairs.cost(format!("{name}{suffix}"), reference, Unit::Ns))?;
    }
    session.tell(found.bounce.speed(
        format!("bounce_vs_memcpy{suffix}"),
        "memcpy() of a page, beside all that a pinned page costs more than one that is only leased",
        Unit::Ns,
    ))
}

/// What a page costs in each state, nanoseconds.
struct States {
    stock: f64,
    stock_fsync: f64,
    idle: f64,
    elsewhere: f64,
    unpinned: f64,
    pinned: f64,
    pinned_fsync: f64,
    after: f64,
    memcpy: f64,
}

impl States {
    fn add_to(&self, found: &mut Found) {
        let Self { stock, .. } = *self;
        found.idle.add(self.idle, stock);
        found.elsewhere.add(self.elsewhere, stock);
        found.unpinned.add(self.unpinned, stock);
        found.pinned.add(self.pinned, stock);
        found.beyond_copy.add(self.pinned - self.memcpy, stock);
        found.after.add(self.after, stock);
        found.bounce.add(self.pinned - self.unpinned, self.memcpy);
        found.fsync.add(self.pinned_fsync, self.stock_fsync);
    }
}

fn states(
    session: &Session<'_>,
    mapped: &Mapped,
    others: &[Mapped],
    bench: &Pinbench,
) -> Result<States> {
    unload_when_unused("pinlease")?;
    let stock = usual(mapped)?;
    let stock_fsync = fsync(mapped)?;
    session.load("pinlease")?;
    let idle = usual(mapped)?;

    let device = Device::open()?;
    let leases = others.iter().map(|other| pinned(&device, other));
    let leases: Vec<_> = leases.collect::<Result<_>>()?;
    let elsewhere = usual(mapped)?;
    drop(leases);

    let lease = leased(&device, mapped)?;
    let unpinned = usual(mapped)?;
    drop(lease);
    let lease = pinned(&device, mapped)?;
    let with_pins = usual(mapped)?;
    let pinned_fsync = fsync(mapped)?;
    drop(lease);
    drop(device);

    wait_for("the hooks are removed", Duration::from_secs(60), || {
        Ok(hooked_functions()?.is_empty())
    })?;
    let after = usual(mapped)?;
    Ok(States {
        stock,
        stock_fsync,
        idle,
        elsewhere,
        unpinned,
        pinned: with_pins,
        pinned_fsync,
        after,
        memcpy: bench.copy(Way::Memory, 256, 64)?,
    })
}

pub(super) fn leased(device: &Device, mapped: &Mapped) -> Result<Lease> {
    Ok(device.lease(mapped).policy(Policy::Refuse).acquire()?)
}

/// The lease with all of the file pinned.
pub(super) fn pinned(device: &Device, mapped: &Mapped) -> Result<Lease> {
    let lease = leased(device, mapped)?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
    // It ends with the lease.
    pin.into_id();
    Ok(lease)
}

fn usual(mapped: &Mapped) -> Result<f64> {
    // A step before may have left something behind.
    write_back(mapped)?;
    let counter = WriteCounter::of(mapped.path())?;
    let all: Vec<_> = (0..REPEAT)
        .map(|_| write_back(mapped))
        .collect::<Result<_>>()?;
    let expected = mapped.length() as u64 * REPEAT as u64;
    let bytes = counter.bytes()?;
    ensure!(
        bytes >= expected,
        "{bytes} of {expected} bytes were written"
    );
    Ok(median(all))
}

/// Nanoseconds for each page of the file, which stores made dirty before.
pub(super) fn write_back(mapped: &Mapped) -> Result<f64> {
    mapped.touch()?;
    let all = timed(|| {
        let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let file = mapped.file().as_raw_fd();
        // SAFETY: the file is open; the call takes no memory.
        let result = unsafe { libc::sync_file_range(file, 0, mapped.length() as i64, flags) };
        Errno::result(result).context("sync_file_range")
    })?;
    Ok(all / mapped.pages() as f64)
}

/// Nanoseconds for each page: a byte of each is stored to, and fsync.
fn fsync(mapped: &Mapped) -> Result<f64> {
    let once = |generation: u8| {
        let all = timed(|| {
            for page in 0..mapped.pages() {
                // SAFETY: the page is mapped as long as the file is, and only raw pointers lead to it.
                unsafe { mapped.address(page).write_volatile(generation) };
            }
            mapped.file().sync_all().context("fsync")
        })?;
        Ok(all / mapped.pages() as f64)
    };
    let all: Result<Vec<_>> = (0..REPEAT as u8).map(once).collect();
    Ok(median(all?))
}
