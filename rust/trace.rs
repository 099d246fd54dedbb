// SPDX-License-Identifier: GPL-2.0

//! Tracepoints: `/sys/kernel/tracing/events/pinlease`, see `rust/helpers/trace.h`.
//!
//! `declare_trace!` of the kernel crate looks for tracepoints in the kernel's own bindings, so that
//! these go through C functions, of which each is a static branch when nobody traces.

use crate::{
    bindings,
    pin::HeldPin,
    policy::range::PageRange,
    sys::{folio::Folio, inode::Inode},
};
use kernel::prelude::*;

pub(crate) fn lease_acquire(inode: &Inode, range: PageRange, policy: u32) {
    let (offset, length) = (range.offset() as i64, range.length() as i64);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_lease_acquire(inode.as_ptr(), offset, length, policy) };
}

pub(crate) fn lease_release(inode: &Inode, range: PageRange) {
    let (offset, length) = (range.offset() as i64, range.length() as i64);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_lease_release(inode.as_ptr(), offset, length) };
}

pub(crate) fn pin(inode: &Inode, pin: &HeldPin) {
    let (offset, length) = (pin.range().offset() as i64, pin.range().length() as i64);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_pin(inode.as_ptr(), pin.id, offset, length) };
}

pub(crate) fn grant(inode: &Inode, range: PageRange, granted: bool) {
    let (offset, length) = (range.offset() as i64, range.length() as i64);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_grant(inode.as_ptr(), granted.into(), offset, length) };
}

pub(crate) fn unpin(inode: &Inode, pin: &HeldPin) {
    let (offset, length) = (pin.range().offset() as i64, pin.range().length() as i64);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_unpin(inode.as_ptr(), pin.id, offset, length) };
}

pub(crate) fn mkclean(inode: &Inode, folio: &Folio, cleaned: c_int) {
    let (index, pages) = (folio.index() as c_ulong, folio.pages() as c_ulong);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_mkclean(inode.as_ptr(), index, pages, cleaned) };
}

pub(crate) fn snapshot(inode: &Inode, sector: u64, pages: usize, copied: usize) {
    let (pages, copied) = (pages as c_uint, copied as c_uint);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_snapshot(inode.as_ptr(), sector, pages, copied) };
}

pub(crate) fn rearm(inode: &Inode, folio: &Folio, result: Result) {
    let (index, pages) = (folio.index() as c_ulong, folio.pages() as c_ulong);
    let error = result.map_or_else(|error| error.to_errno(), |()| 0);
    // SAFETY: The inode is valid.
    unsafe { bindings::pinlease_trace_rearm(inode.as_ptr(), index, pages, error) };
}
