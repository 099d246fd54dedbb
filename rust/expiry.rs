// SPDX-License-Identifier: GPL-2.0

//! The end of the grace: policies act.
//!
//! One work looks at all leased files at the time of the next deadline; what a
//! policy does may take long, and is done for each lease in a worker of its own.

use crate::{
    policy::grace::MILLISECOND,
    registry,
    sys::{clock, work::StaticWork, work_queue},
};
use kernel::{global_lock, prelude::*};

static WORK: StaticWork = StaticWork::new(run);

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static SCHEDULING: SpinLock<()> = ();
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { SCHEDULING.init() };
    WORK.init();
}

/// Ends for good; no lease is left. May sleep.
pub(crate) fn stop() {
    WORK.cancel();
}

/// Looks at `deadline`, or before. Any context that may take a spinlock, but no interrupt.
pub(crate) fn look_at(deadline: u64) {
    let left = deadline.saturating_sub(clock::now()).div_ceil(MILLISECOND);
    let _scheduling = SCHEDULING.lock();
    WORK.run_within(u32::try_from(left).unwrap_or(u32::MAX));
}

fn run() {
    let now = clock::now();
    let mut next: Option<u64> = None;
    for file in registry::files() {
        loop {
            let expired = file.arbiter.lock().expire(now);
            let Some(lease) = expired else {
                break;
            };
            file.changed.wake_all();
            if let Some(queue) = work_queue::queue() {
                // A lease is withdrawn once, so that it is not queued already.
                let _ = queue.enqueue(lease);
            }
        }
        let deadline = file.arbiter.lock().next_deadline();
        next = [next, deadline].into_iter().flatten().min();
    }
    if let Some(deadline) = next {
        look_at(deadline);
    }
}
