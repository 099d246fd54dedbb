// SPDX-License-Identifier: GPL-2.0

//! Breakers that wait without end, for leases with the policy to block.

use crate::{
    policy::waits::{may_close_circle, Wait, LOOKS},
    sys::process::Process,
};
use kernel::{global_lock, prelude::*, rbtree::RBTree};

/// Of waiter and holder, how many breakers wait so.
type Waits = RBTree<(usize, usize), usize>;

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static WAITS: SpinLock<Option<Waits>> = None;
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { WAITS.init() };
}

/// The endless waits of one breaker, which keeps the processes. Dropping ends them.
pub(crate) struct Endless {
    waits: KVec<Wait<usize>>,
    /// Of others' waits that may still be looked at.
    looks: usize,
}

impl Endless {
    pub(crate) const fn new() -> Self {
        Self {
            waits: KVec::new(),
            looks: LOOKS,
        }
    }

    /// Adds one. Any context that may take a spinlock, but no interrupt.
    ///
    /// Errors: `EDEADLK` when a circle of processes would wait for each other, or it is not known
    /// because very many do; `ENOMEM`.
    pub(crate) fn wait_for(&mut self, waiter: &Process, holder: &Process) -> Result {
        let wait = Wait {
            waiter: waiter.key(),
            holder: holder.key(),
        };
        if self.waits.contains(&wait) {
            return Ok(());
        }
        let mut waits = WAITS.lock();
        let waits = waits.get_or_insert_with(RBTree::new);
        if may_close_circle(wait, &mut self.looks, |waiter, last| {
            next(waits, waiter, last)
        }) {
            return Err(EDEADLK);
        }
        self.waits.reserve(1, GFP_ATOMIC)?;
        let key = (wait.waiter, wait.holder);
        match waits.get_mut(&key) {
            Some(count) => *count += 1,
            None => {
                waits.try_create_and_insert(key, 1, GFP_ATOMIC)?;
            }
        }
        // There is room, so that this cannot fail.
        let _ = self.waits.push(wait, GFP_ATOMIC);
        Ok(())
    }
}

/// The holder with the next higher key for whom `waiter` waits.
fn next(waits: &Waits, waiter: usize, last: Option<usize>) -> Option<usize> {
    let from = (waiter, last.map_or(0, |last| last + 1));
    let cursor = waits.cursor_lower_bound(&from)?;
    let (&(of, holder), _) = cursor.current();
    (of == waiter).then_some(holder)
}

impl Drop for Endless {
    fn drop(&mut self) {
        if self.waits.is_empty() {
            return;
        }
        let mut waits = WAITS.lock();
        let Some(waits) = waits.as_mut() else {
            return;
        };
        for wait in &self.waits {
            let key = (wait.waiter, wait.holder);
            match waits.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(waits.remove(&key)),
            }
        }
    }
}
