// SPDX-License-Identifier: GPL-2.0

//! The lease descriptor: what user space does with a lease.

use crate::{
    bindings,
    device::{number, MARK, PIN, QUERY, UNPIN},
    lease::Lease,
    policy::range::{PageRange, PAGE_SIZE},
    sys::anon_file::{self, AnonFile},
    uapi,
};
use core::sync::atomic::Ordering;
use kernel::{fs::File, prelude::*, seq_file::SeqFile, seq_print, sync::Arc};

/// Installs a descriptor. Errors: `EMFILE`, `ENFILE`, `ENOMEM`; the lease has ended then.
pub(crate) fn install(lease: Arc<Lease>, close_on_exec: bool) -> Result<u32> {
    anon_file::install(lease.clone(), close_on_exec).inspect_err(|_| lease.release())
}

/// The lease of an open file. Errors: `EBADF` when it is not a lease.
pub(crate) fn of_file(file: &File) -> Result<Arc<Lease>> {
    anon_file::of_file(file).ok_or(EBADF)
}

impl AnonFile for Lease {
    const NAME: &'static CStr = c"[pinlease]";

    fn ioctl(lease: &Arc<Self>, command: u32, argument: usize) -> Result<isize> {
        match number(command)? {
            PIN => pin(lease, argument),
            UNPIN => unpin(lease, argument),
            MARK => mark(lease, argument),
            QUERY => query(lease, argument),
            _ => Err(ENOTTY),
        }
    }

    fn show_fdinfo(lease: &Arc<Self>, lines: &SeqFile) {
        let (pins, pages) = lease.pinned();
        seq_print!(lines, "pinlease-offset:\t{}\n", lease.range().offset());
        seq_print!(lines, "pinlease-length:\t{}\n", lease.range().length());
        seq_print!(lines, "pinlease-policy:\t{}\n", lease.policy.name());
        seq_print!(lines, "pinlease-pins:\t{pins}\n");
        seq_print!(lines, "pinlease-pinned-bytes:\t{}\n", pages * PAGE_SIZE);
    }

    fn release(lease: Arc<Self>) {
        lease.release();
    }
}

fn pin(lease: &Lease, argument: usize) -> Result<isize> {
    let mut wanted: bindings::pinlease_pin = uapi::read(argument)?;
    let aligned = (wanted.addr | wanted.length) & (PAGE_SIZE - 1) == 0;
    if wanted.flags & !bindings::PINLEASE_PIN_MARKED != 0 || !aligned || wanted.length == 0 {
        return Err(EINVAL);
    }
    let marked = wanted.flags & bindings::PINLEASE_PIN_MARKED != 0;
    let pin = lease.pin(wanted.addr as usize, wanted.length / PAGE_SIZE, marked)?;
    wanted.offset = pin.range().offset();
    wanted.id = pin.id;
    uapi::write(argument, wanted.size, &wanted).inspect_err(|_| {
        // Nobody can have learned of it.
        let _ = lease.unpin(pin.id);
    })?;
    Ok(0)
}

fn unpin(lease: &Lease, argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_unpin = uapi::read(argument)?;
    if wanted.reserved != 0 {
        return Err(EINVAL);
    }
    lease.unpin(wanted.id).map(|()| 0)
}

fn mark(lease: &Lease, argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_mark = uapi::read(argument)?;
    if wanted.reserved != 0 {
        return Err(EINVAL);
    }
    let range = PageRange::covering(wanted.offset, wanted.length)?;
    if !lease.range().contains(&range) {
        return Err(ENXIO);
    }
    lease.mark(range).map(|()| 0)
}

fn query(lease: &Lease, argument: usize) -> Result<isize> {
    let asked: bindings::pinlease_query = uapi::read(argument)?;
    let counters = &lease.file().counters;
    let (pins, pages) = lease.pinned();
    let answer = bindings::pinlease_query {
        size: size_of::<bindings::pinlease_query>() as u32,
        policy: lease.policy as u32,
        state: bindings::PINLEASE_STATE_HELD,
        grace_ms: lease.grace_ms,
        offset: lease.range().offset(),
        length: lease.range().length(),
        pins,
        pinned_bytes: pages * PAGE_SIZE,
        snapshots: counters.snapshots.load(Ordering::Relaxed),
        rearmed: counters.rearmed.load(Ordering::Relaxed),
        errors: counters.errors.load(Ordering::Relaxed),
    };
    uapi::write(argument, asked.size, &answer)?;
    Ok(0)
}
