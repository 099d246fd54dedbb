// SPDX-License-Identifier: GPL-2.0

//! `PINLEASE_IOC_NEXT`: which leases there are, as far as the caller may know.

use crate::{
    arbiter::uapi_policy,
    bindings,
    lease::Lease,
    policy::{
        lease_state::{LeaseState, Phase},
        range::{PageRange, PAGE_SIZE},
    },
    registry,
    sys::{file::FileExt, task},
    uapi,
};
use kernel::{
    prelude::*,
    sync::Arc,
    task::Kuid,
    uaccess::{UserPtr, UserSlice},
};

/// The number of a state in user space.
pub(crate) fn uapi_state(state: &LeaseState) -> u32 {
    match state.phase() {
        Phase::Held => bindings::PINLEASE_STATE_HELD,
        Phase::Breaking { .. } => bindings::PINLEASE_STATE_BREAKING,
        Phase::Withdrawn => bindings::PINLEASE_STATE_WITHDRAWN,
        Phase::Draining => bindings::PINLEASE_STATE_DRAINING,
    }
}

/// The flags of a lease that user space gave it.
pub(crate) fn uapi_flags(lease: &Lease) -> u32 {
    match lease.grant() {
        Some(_) => bindings::PINLEASE_ACQUIRE_GRANT,
        None => 0,
    }
}

/// Tells about the next lease. May sleep. Errors: those of `struct pinlease_next`.
pub(crate) fn next(argument: usize) -> Result<isize> {
    let asked: bindings::pinlease_next = uapi::read(argument)?;
    if asked.reserved != 0 {
        return Err(EINVAL);
    }
    let (lease, range, state) = lease_after(asked.id).ok_or(ENOENT)?;
    let holder = &lease.holder;
    let file = lease.file();
    let (pins, pages) = lease.pinned();
    let pid = holder.process.number();
    let comm = match pid {
        0 => Default::default(),
        _ => uapi::characters(holder.process.name()),
    };
    let may_see_path = holder.user == Kuid::current_euid() || task::has_cap_sys_admin();
    let path_size = match may_see_path {
        true => write_path(&lease, asked.path, asked.path_size)?,
        false => 0,
    };
    let answer = bindings::pinlease_next {
        size: size_of::<bindings::pinlease_next>() as u32,
        state: uapi_state(&state),
        id: lease.id,
        offset: range.offset(),
        length: range.length(),
        pins,
        pinned_bytes: pages * PAGE_SIZE,
        inode: file.inode().number(),
        deadline_ns: state.deadline().unwrap_or(0),
        device: file.super_block().device_number(),
        policy: uapi_policy(lease.policy),
        grace_ms: lease.grace_ms,
        pid,
        uid: task::shown_uid(holder.user),
        reserved: 0,
        path_size,
        path: asked.path,
        comm,
        granted_bytes: match may_see_path {
            true => lease.granted_bytes(range),
            false => 0,
        },
        flags: uapi_flags(&lease),
        exports: lease.exports.count(),
    };
    uapi::write(argument, asked.size, &answer)?;
    Ok(0)
}

/// The lease with the next higher id that has not ended.
fn lease_after(mut id: u64) -> Option<(Arc<Lease>, PageRange, LeaseState)> {
    loop {
        let lease = registry::lease_after(id)?;
        if let Some((range, state)) = lease.state() {
            return Some((lease, range, state));
        }
        id = lease.id;
    }
}

/// Writes the path of the leased file, as much of it as fits; returns its size. May sleep.
fn write_path(lease: &Lease, pointer: u64, size: u32) -> Result<u32> {
    let path = match lease.file().file().path() {
        Ok(path) => path,
        Err(ENOMEM) => return Err(ENOMEM),
        // It has none that the caller could reach, or one that is too long.
        Err(_) => return Ok(0),
    };
    let fits = path.len().min(size as usize);
    UserSlice::new(UserPtr::from_addr(pointer as usize), fits)
        .writer()
        .write_slice(&path[..fits])?;
    Ok(path.len() as u32)
}
