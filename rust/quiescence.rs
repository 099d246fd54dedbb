// SPDX-License-Identifier: GPL-2.0

//! `PINLEASE_IOC_QUIESCE`: no new leases, so that the hooks go with the last one and a livepatch
//! of a hooked function can come in.

use crate::{
    bindings, hook,
    registry::{self, Changes, CHANGES},
    snapshot::spare,
    sys::task,
    uapi,
};
use kernel::prelude::*;

/// Begins, ends, or tells. May sleep. Errors: those of `struct pinlease_quiesce`.
pub(crate) fn quiesce(argument: usize) -> Result<isize> {
    let mut asked: bindings::pinlease_quiesce = uapi::read(argument)?;
    let closed = match asked.flags {
        0 => None,
        bindings::PINLEASE_QUIESCE_BEGIN => Some(true),
        bindings::PINLEASE_QUIESCE_END => Some(false),
        _ => return Err(EINVAL),
    };
    if asked.reserved != 0 {
        return Err(EINVAL);
    }
    if closed.is_some() && !task::has_cap_sys_admin() {
        return Err(EPERM);
    }
    // A lease that is gone may still be known, until somebody looks.
    registry::sweep();
    let mut changes = CHANGES.lock();
    if let Some(closed) = closed {
        changes.set_closed(closed);
    }
    if changes.is_closed() {
        remove_unused_hooks(&mut changes);
    }
    asked.state = state(&changes);
    drop(changes);
    uapi::write(argument, asked.size, &asked)?;
    Ok(0)
}

/// Removes the hooks when no file is leased, and none can be as long as the caller has `_changes`.
/// May sleep.
pub(crate) fn remove_unused_hooks(_changes: &mut Changes) {
    if registry::is_empty() {
        hook::install::remove();
        spare::free();
    }
}

fn state(changes: &Changes) -> u32 {
    let mut state = 0;
    if changes.is_closed() {
        state |= bindings::PINLEASE_QUIESCED_LEASES;
    }
    if !hook::install::is_installed() {
        state |= bindings::PINLEASE_QUIESCED_HOOKS;
    }
    state
}
