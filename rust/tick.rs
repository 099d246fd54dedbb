// SPDX-License-Identifier: GPL-2.0

//! What happens while nobody calls: the tick re-arms, so that what a device writes reaches the
//! disk without fsync, as ordinary dirty pages do; drained leases end; unused hooks go, and spare
//! snapshots.

use crate::{
    draining,
    leased_file::LeasedFile,
    policy::range::PageRange,
    quiescence::remove_unused_hooks,
    rearm::Frozen,
    registry,
    sys::{sysctl, work::StaticWork, work_queue},
};
use kernel::{prelude::*, sync::Arc, workqueue::WorkItem};

static WORK: StaticWork = StaticWork::new(run);

/// Milliseconds after the last lease until the hooks are removed: whoever takes leases in a loop
/// need not wait for the installation each time.
const LINGER: u32 = 2000;

/// Milliseconds between looks at leases that cannot end yet.
const DRAIN_INTERVAL: u32 = 500;

/// Milliseconds between looks when the flusher does not run.
const IDLE_INTERVAL: u32 = 5000;

/// Once, before anything else here.
pub(crate) fn init() {
    WORK.init();
}

/// Begins to tick. After the first lease.
pub(crate) fn start() {
    WORK.run_within(interval());
}

/// Something ended: look soon.
pub(crate) fn look_soon() {
    WORK.run_within(if registry::is_empty() {
        LINGER
    } else {
        DRAIN_INTERVAL
    });
}

/// Ends for good. May sleep.
pub(crate) fn stop() {
    WORK.cancel();
}

/// As often as the flusher looks for old dirty pages.
fn interval() -> u32 {
    match sysctl::dirty_writeback_centisecs() {
        0 => IDLE_INTERVAL,
        centisecs => centisecs.saturating_mul(10),
    }
}

fn run() {
    rearm_old();
    let draining = draining::retry();
    registry::sweep();
    if !registry::is_empty() {
        WORK.run_within(if draining { DRAIN_INTERVAL } else { interval() });
        return;
    }
    remove_unused_hooks(&mut registry::CHANGES.lock());
}

/// Re-arms files whose last time is too long ago, each for itself: one may have to wait for its disk.
fn rearm_old() {
    for file in registry::files().filter(|file| is_due(file)) {
        if let Some(queue) = work_queue::queue() {
            // If it still waits for the last time, it goes on.
            let _ = queue.enqueue(file);
        }
    }
}

/// Whether the last time is as long ago as dirty data may get old.
fn is_due(file: &LeasedFile) -> bool {
    file.milliseconds_since_arming() >= u64::from(sysctl::dirty_expire_centisecs()) * 10
}

impl WorkItem for LeasedFile {
    type Pointer = Arc<Self>;

    /// Re-arms it. May sleep long.
    fn run(this: Arc<Self>) {
        if !is_due(&this) {
            return;
        }
        let rearmed = PageRange::from_byte(0)
            .map_err(Error::from)
            .and_then(|all| this.rearm(all, Frozen::Refuse));
        // A frozen filesystem is tried again next time; other errors wait for fsync.
        if rearmed != Err(EBUSY) {
            this.note_arming();
        }
    }
}
