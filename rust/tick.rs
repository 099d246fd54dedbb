// SPDX-License-Identifier: GPL-2.0

//! What happens while nobody calls: the tick re-arms, so that what a device writes reaches the
//! disk without fsync, as ordinary dirty pages do; drained leases end; unused hooks go.

use crate::{
    draining, hook,
    policy::range::PageRange,
    rearm::Frozen,
    registry,
    sys::{sysctl, work::StaticWork},
};
use kernel::prelude::*;

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
    let changes = registry::CHANGES.lock();
    if registry::is_empty() {
        hook::install::remove();
    }
    drop(changes);
}

/// Re-arms files whose last time is as long ago as dirty data may get old.
fn rearm_old() {
    let expire = u64::from(sysctl::dirty_expire_centisecs()) * 10;
    for file in registry::files() {
        if file.milliseconds_since_arming() < expire {
            continue;
        }
        let rearmed = PageRange::from_byte(0)
            .map_err(Error::from)
            .and_then(|all| file.rearm(all, Frozen::Refuse));
        // A frozen filesystem is tried again next time; other errors wait for fsync.
        if rearmed != Err(EBUSY) {
            file.note_arming();
        }
    }
}
