// SPDX-License-Identifier: GPL-2.0

//! Watches: descriptors on which the events of many leases can be read.

use crate::{
    event::Event,
    event_queue::EventQueue,
    holder::Holder,
    sys::{
        anon_file::{self, AnonFile},
        task,
    },
};
use kernel::{global_lock, prelude::*, sync::Arc, task::Kuid};

/// Watches that one user may have at a time: who breaks leases tells all of them.
const PER_USER: usize = 64;

/// One watch.
#[pin_data]
pub(crate) struct Watch {
    #[pin]
    events: EventQueue,
    user: Kuid,
    /// CAP_SYS_ADMIN.
    everything: bool,
}

global_lock! {
    // SAFETY: Initialized in `init`, before first use.
    unsafe(uninit) static WATCHES: SpinLock<KVec<Arc<Watch>>> = KVec::new();
}

/// Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { WATCHES.init() };
}

/// Gives memory back, which nobody does for a static. Once, after all else here.
pub(crate) fn exit() {
    let watches = core::mem::replace(&mut *WATCHES.lock(), KVec::new());
    drop(watches);
}

/// Makes a watch for the current task and returns its descriptor. May sleep.
///
/// Errors: `EMFILE` also when the user has too many, `ENFILE`, `ENOMEM`.
pub(crate) fn open(close_on_exec: bool) -> Result<u32> {
    let watch = Arc::pin_init(
        pin_init!(Watch {
            events <- EventQueue::new(),
            user: Kuid::current_euid(),
            everything: task::has_cap_sys_admin(),
        }),
        GFP_KERNEL,
    )?;
    let mut watches = WATCHES.lock();
    let own = watches.iter().filter(|other| other.user == watch.user);
    if own.count() >= PER_USER {
        return Err(EMFILE);
    }
    watches.push(watch.clone(), GFP_ATOMIC)?;
    drop(watches);
    anon_file::install(watch.clone(), close_on_exec).inspect_err(|_| close(&watch))
}

/// Tells those who may see leases of `holder`. Any context but interrupts.
pub(crate) fn tell(holder: &Holder, event: &Event) {
    for watch in WATCHES.lock().iter() {
        if watch.everything || watch.user == holder.user {
            watch.events.push(event.clone());
        }
    }
}

fn close(watch: &Arc<Watch>) {
    let mut watches = WATCHES.lock();
    let place = watches.iter().position(|other| Arc::ptr_eq(other, watch));
    let gone = place.map(|place| watches.remove(place));
    drop(watches);
    drop(gone);
}

impl AnonFile for Watch {
    const NAME: &'static CStr = c"[pinlease-watch]";

    fn events(this: &Arc<Self>) -> &EventQueue {
        &this.events
    }

    fn release(this: Arc<Self>) {
        close(&this);
    }
}
