// SPDX-License-Identifier: GPL-2.0

//! Breakers that wait without end, for leases with the policy to block.

use crate::{
    policy::waits::{closes_circle, Wait},
    sys::process::Process,
};
use kernel::{global_lock, prelude::*};

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static WAITS: SpinLock<KVec<Wait<usize>>> = KVec::new();
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { WAITS.init() };
}

/// The endless waits of one breaker, which keeps the processes. Dropping ends them.
pub(crate) struct Endless(KVec<Wait<usize>>);

impl Endless {
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// Adds one. Any context that may take a spinlock, but no interrupt.
    ///
    /// Errors: `EDEADLK` when a circle of processes would wait for each other, `ENOMEM`.
    pub(crate) fn wait_for(&mut self, waiter: &Process, holder: &Process) -> Result {
        let wait = Wait {
            waiter: waiter.key(),
            holder: holder.key(),
        };
        if self.0.contains(&wait) {
            return Ok(());
        }
        let mut waits = WAITS.lock();
        if closes_circle(&mut waits, wait) {
            return Err(EDEADLK);
        }
        self.0.reserve(1, GFP_ATOMIC)?;
        waits.push(wait, GFP_ATOMIC)?;
        // There is room, so that this cannot fail.
        let _ = self.0.push(wait, GFP_ATOMIC);
        Ok(())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let mut waits = WAITS.lock();
        for wait in &self.0 {
            // One of those that are equal is as good as another.
            if let Some(place) = waits.iter().position(|other| other == wait) {
                let _ = waits.remove(place);
            }
        }
    }
}
