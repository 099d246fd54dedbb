// SPDX-License-Identifier: GPL-2.0

//! Tracepoints: `/sys/kernel/tracing/events/pinlease`, see `rust/helpers/trace.h`.
//!
//! `declare_trace!` of the kernel crate looks for tracepoints in the kernel's own bindings, so that
//! these go through C functions, of which each is a static branch when nobody traces.

use crate::{
    arbiter::uapi_policy,
    bindings,
    breaker::Breaker,
    lease::Lease,
    pin::HeldPin,
    policy::range::PageRange,
    statistics::breaks::Outcome,
    sys::{folio::Folio, inode::Inode},
};
use kernel::prelude::*;

pub(crate) use bindings::pinlease_snapshot as Snapshot;

/// A function that traces a lease, and its range.
type LeaseEvent = unsafe extern "C" fn(*mut bindings::inode, u64, u32, u64, u64);

fn lease_event(event: LeaseEvent, lease: &Lease, range: PageRange) {
    let (inode, policy) = (lease.file().inode(), uapi_policy(lease.policy));
    let (offset, length) = (range.offset(), range.length());
    // SAFETY: The inode is valid: the lease keeps its file open.
    unsafe { event(inode.as_ptr(), lease.id, policy, offset, length) };
}

pub(crate) fn lease_acquire(lease: &Lease, range: PageRange) {
    lease_event(bindings::pinlease_trace_lease_acquire, lease, range);
}

/// It was shrunk to `range`.
pub(crate) fn lease_shrink(lease: &Lease, range: PageRange) {
    lease_event(bindings::pinlease_trace_lease_shrink, lease, range);
}

/// No breaker waits for it any more.
pub(crate) fn lease_answer(lease: &Lease, range: PageRange) {
    lease_event(bindings::pinlease_trace_lease_answer, lease, range);
}

/// Its policy acts.
pub(crate) fn lease_withdraw(lease: &Lease, range: PageRange) {
    lease_event(bindings::pinlease_trace_lease_withdraw, lease, range);
}

pub(crate) fn lease_release(lease: &Lease, range: PageRange) {
    lease_event(bindings::pinlease_trace_lease_release, lease, range);
}

/// A breaker as C knows it.
fn breaker_record(breaker: &Breaker) -> bindings::pinlease_breaker {
    bindings::pinlease_breaker {
        id: breaker.id,
        offset: breaker.range.offset(),
        length: breaker.range.length(),
        operation: breaker.operation as u32,
    }
}

/// The holder is asked to answer the current task, which is `breaker`.
pub(crate) fn lease_break(lease: &Lease, breaker: &Breaker) {
    let (inode, policy) = (lease.file().inode(), uapi_policy(lease.policy));
    let (holder, record) = (&lease.holder.process, breaker_record(breaker));
    // SAFETY: The inode and the holder's `struct pid` are valid as long as the lease, the record
    // is read during the call.
    unsafe {
        bindings::pinlease_trace_lease_break(
            inode.as_ptr(),
            lease.id,
            policy,
            holder.as_ptr(),
            &record,
        )
    };
}

/// The lease refuses the current task, which is `breaker`.
pub(crate) fn lease_refuse(lease: &Lease, breaker: &Breaker) {
    let (inode, policy) = (lease.file().inode(), uapi_policy(lease.policy));
    let (holder, record) = (&lease.holder.process, breaker_record(breaker));
    // SAFETY: As in `lease_break`.
    unsafe {
        bindings::pinlease_trace_lease_refuse(
            inode.as_ptr(),
            lease.id,
            policy,
            holder.as_ptr(),
            &record,
        )
    };
}

pub(crate) fn break_done(inode: &Inode, breaker: &Breaker, outcome: Outcome, waited_ns: u64) {
    let (record, outcome) = (breaker_record(breaker), outcome as u32);
    // SAFETY: The inode is valid, and the record is read during the call.
    unsafe { bindings::pinlease_trace_break_done(inode.as_ptr(), &record, outcome, waited_ns) };
}

pub(crate) fn pin(inode: &Inode, pin: &HeldPin) {
    let (offset, length) = (pin.range().offset(), pin.range().length());
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_pin(inode.as_ptr(), pin.lease, pin.id, offset, length) };
}

pub(crate) fn unpin(inode: &Inode, pin: &HeldPin) {
    let (offset, length) = (pin.range().offset(), pin.range().length());
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_unpin(inode.as_ptr(), pin.lease, pin.id, offset, length) };
}

pub(crate) fn grant(inode: &Inode, range: PageRange, granted: bool) {
    let (offset, length) = (range.offset(), range.length());
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_grant(inode.as_ptr(), granted, offset, length) };
}

pub(crate) fn mkclean(inode: &Inode, folio: &Folio, cleaned: c_int) {
    let (index, pages) = (folio.index() as c_ulong, folio.pages() as c_ulong);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_mkclean(inode.as_ptr(), index, pages, cleaned) };
}

pub(crate) fn rearm(inode: &Inode, lease: u64, folio: &Folio, result: Result) {
    let (index, pages) = (folio.index() as c_ulong, folio.pages() as c_ulong);
    let error = result.map_or_else(|error| error.to_errno(), |()| 0);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_rearm(inode.as_ptr(), lease, index, pages, error) };
}

pub(crate) fn snapshot(snapshot: &Snapshot) {
    // SAFETY: It is read during the call.
    unsafe { bindings::pinlease_trace_snapshot(snapshot) };
}

/// Any context.
pub(crate) fn snapshot_done(snapshot: &Snapshot, failed: bool, took_ns: u64) {
    // SAFETY: It is read during the call.
    unsafe { bindings::pinlease_trace_snapshot_done(snapshot, failed, took_ns) };
}

/// A function is redirected for the hook of that name.
pub(crate) fn hook_install(name: &str) {
    // SAFETY: The name has that length.
    unsafe { bindings::pinlease_trace_hook_install(name.as_ptr().cast(), name.len()) };
}

/// It is not any more.
pub(crate) fn hook_remove(name: &str) {
    // SAFETY: As above.
    unsafe { bindings::pinlease_trace_hook_remove(name.as_ptr().cast(), name.len()) };
}
