// SPDX-License-Identifier: GPL-2.0

//! The lease descriptor: what user space does with a lease.

use crate::{
    arbiter::uapi_policy,
    bindings,
    device::{number, EXPORT, MARK, PIN, QUERY, SHRINK, UNPIN},
    event_queue::EventQueue,
    export::Export,
    lease::Lease,
    listing::{uapi_flags, uapi_state},
    policy::range::{PageRange, PAGE_SIZE},
    sys::anon_file::{self, AnonFile},
    uapi,
};
use kernel::{
    fs::{file::FileDescriptorReservation, File},
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc,
};

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

    fn events(lease: &Arc<Self>) -> &EventQueue {
        &lease.events
    }

    fn ioctl(lease: &Arc<Self>, command: u32, argument: usize) -> Result<isize> {
        match number(command)? {
            PIN => pin(lease, argument),
            UNPIN => unpin(lease, argument),
            MARK => mark(lease, argument),
            QUERY => query(lease, argument),
            SHRINK => shrink(lease, argument),
            EXPORT => export(lease, argument),
            _ => Err(ENOTTY),
        }
    }

    fn show_fdinfo(lease: &Arc<Self>, lines: &SeqFile) {
        let (pins, pages) = lease.pinned();
        seq_print!(lines, "pinlease-id:\t{}\n", lease.id);
        if let Some((range, state)) = lease.state() {
            seq_print!(lines, "pinlease-offset:\t{}\n", range.offset());
            seq_print!(lines, "pinlease-length:\t{}\n", range.length());
            seq_print!(lines, "pinlease-state:\t{}\n", state.phase().name());
        }
        seq_print!(lines, "pinlease-policy:\t{}\n", lease.policy.name());
        let grant = if lease.grant().is_some() { "yes" } else { "no" };
        seq_print!(lines, "pinlease-grant:\t{grant}\n");
        seq_print!(lines, "pinlease-pins:\t{pins}\n");
        seq_print!(lines, "pinlease-pinned-bytes:\t{}\n", pages * PAGE_SIZE);
        seq_print!(lines, "pinlease-exports:\t{}\n", lease.exports.count());
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
        lease.take_back(&pin);
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
    if !lease.valid_range()?.contains(&range) {
        return Err(ENXIO);
    }
    lease.mark(range).map(|()| 0)
}

fn shrink(lease: &Lease, argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_shrink = uapi::read(argument)?;
    if wanted.reserved != 0 {
        return Err(EINVAL);
    }
    let range = PageRange::aligned(wanted.offset, wanted.length)?;
    lease.shrink(range).map(|()| 0)
}

fn export(lease: &Lease, argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_export = uapi::read(argument)?;
    let access = wanted.open_flags & bindings::O_ACCMODE;
    let known = bindings::O_ACCMODE | bindings::O_CLOEXEC;
    if wanted.open_flags & !known != 0 || !matches!(access, bindings::O_RDONLY | bindings::O_RDWR) {
        return Err(EINVAL);
    }
    let close_on_exec = wanted.open_flags & bindings::O_CLOEXEC;
    let descriptor = FileDescriptorReservation::get_unused_fd_flags(close_on_exec)?;
    let exported = Export::of_pin(lease, wanted.id, wanted.offset, wanted.length, access)?;
    Ok(exported.install(descriptor) as isize)
}

fn query(lease: &Lease, argument: usize) -> Result<isize> {
    let asked: bindings::pinlease_query = uapi::read(argument)?;
    let (range, state) = lease.state().ok_or(ENODEV)?;
    let counters = &lease.file().counters;
    let (pins, pages) = lease.pinned();
    let answer = bindings::pinlease_query {
        size: size_of::<bindings::pinlease_query>() as u32,
        policy: uapi_policy(lease.policy),
        state: uapi_state(&state),
        grace_ms: lease.grace_ms,
        offset: range.offset(),
        length: range.length(),
        pins,
        pinned_bytes: pages * PAGE_SIZE,
        snapshots: counters.snapshots.get(),
        rearmed: counters.rearmed.get(),
        errors: counters.errors.get(),
        id: lease.id,
        deadline_ns: state.deadline().unwrap_or(0),
        granted_bytes: lease.granted_bytes(range),
        flags: uapi_flags(lease),
        exports: lease.exports.count(),
    };
    uapi::write(argument, asked.size, &answer)?;
    Ok(0)
}
