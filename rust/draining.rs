// SPDX-License-Identifier: GPL-2.0

//! Leases whose descriptor is closed, but that cannot end yet: others have not unpinned, or the
//! filesystem is frozen, and what the device wrote can only become dirty after the thaw.

use crate::{lease::Lease, sys::module::ModuleRef};
use kernel::{global_lock, prelude::*, sync::Arc};

/// A closed lease. Keeps the module loaded.
struct Draining {
    lease: Arc<Lease>,
    _module: ModuleRef,
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static WAITING: Mutex<KVec<Draining>> = KVec::new();
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { WAITING.init() };
}

/// Gives memory back, which nobody does for a static. Once, after all else here.
pub(crate) fn exit() {
    let waiting = core::mem::replace(&mut *WAITING.lock(), KVec::new());
    drop(waiting);
}

/// Takes over a lease whose pins cannot end yet; gives it back when there is no memory for that.
/// May sleep.
pub(crate) fn hand_over(lease: Arc<Lease>) -> Result<(), Arc<Lease>> {
    let Ok(module) = ModuleRef::of_this_module() else {
        return Err(lease);
    };
    let mut waiting = WAITING.lock();
    if waiting.reserve(1, GFP_KERNEL).is_err() {
        return Err(lease);
    }
    let draining = Draining {
        lease,
        _module: module,
    };
    // There is room, so that this cannot fail.
    let _ = waiting.push(draining, GFP_KERNEL);
    Ok(())
}

/// Ends every lease that can end now; true when some are left. May sleep long, and is not called
/// while it runs.
pub(crate) fn retry() -> bool {
    let mut place = 0;
    loop {
        // Whoever closes a lease must not wait for this one to end.
        let next = WAITING
            .lock()
            .get(place)
            .map(|waiting| waiting.lease.clone());
        let Some(lease) = next else {
            return place != 0;
        };
        if lease.try_end() {
            let ended = WAITING.lock().remove(place).ok();
            drop(ended);
        } else {
            place += 1;
        }
    }
}
