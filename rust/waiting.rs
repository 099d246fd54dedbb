// SPDX-License-Identifier: GPL-2.0

//! How many breakers of one user wait: each costs memory, and time under a lock of who else waits for
//! the same leases.

use crate::{
    parameters,
    policy::{lease_state::Patience, limits::Quota},
    sys::task,
};
use kernel::{global_lock, prelude::*, rbtree::RBTree, task::Kuid};

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static USERS: SpinLock<Option<RBTree<u32, Quota>>> = None;
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { USERS.init() };
}

/// A breaker that may wait. Dropping says that it does not any more.
pub(crate) struct Waiting(u32);

impl Waiting {
    /// Counts the current task. Errors: `EDQUOT`, `ENOMEM`.
    fn begin() -> Result<Self> {
        let user = Kuid::current_euid().into_raw().val;
        let mut users = USERS.lock();
        let users = users.get_or_insert_with(RBTree::new);
        if users.get(&user).is_none() {
            users.try_create_and_insert(user, Quota::default(), GFP_ATOMIC)?;
        }
        let quota = users.get_mut(&user).ok_or(ENOMEM)?;
        quota
            .take(parameters::breakers_per_user())
            .map_err(|_| EDQUOT)?;
        Ok(Self(user))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut users = USERS.lock();
        if let Some(users) = users.as_mut() {
            if users.get_mut(&self.0).is_some_and(Quota::give_back) {
                users.remove(&self.0);
            }
        }
    }
}

/// What the current task can do about a lease if it has that patience: where too many of its user
/// wait already, no more than one that holds locks. CAP_SYS_RESOURCE exempts.
pub(crate) fn admit(patience: Patience) -> (Patience, Option<Waiting>) {
    if patience != Patience::Waits {
        return (patience, None);
    }
    match Waiting::begin() {
        Ok(waiting) => (patience, Some(waiting)),
        Err(EDQUOT) if task::has_cap_sys_resource() => (patience, None),
        Err(_) => (Patience::HoldsLocks, None),
    }
}
