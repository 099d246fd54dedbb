// SPDX-License-Identifier: GPL-2.0

//! A work queue of our own, which can be emptied before the module goes.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::{prelude::*, workqueue::Queue};

static QUEUE: AtomicPtr<bindings::workqueue_struct> = AtomicPtr::new(core::ptr::null_mut());

/// Once, before anything else here. May sleep. Errors: `ENOMEM`.
pub(crate) fn init() -> Result {
    // SAFETY: May sleep here.
    let queue = unsafe { bindings::pinlease_alloc_workqueue() };
    if queue.is_null() {
        return Err(ENOMEM);
    }
    QUEUE.store(queue, Ordering::Release);
    Ok(())
}

/// Waits until all work is done; none may come any more. May sleep.
pub(crate) fn exit() {
    let queue = QUEUE.swap(core::ptr::null_mut(), Ordering::AcqRel);
    if !queue.is_null() {
        // SAFETY: It was allocated by `init`, and nobody uses it any more.
        unsafe { bindings::destroy_workqueue(queue) };
    }
}

/// The queue; `None` before [`init`] and after [`exit`].
pub(crate) fn queue() -> Option<&'static Queue> {
    let queue = QUEUE.load(Ordering::Acquire);
    // SAFETY: The queue lives until `exit`, when nobody uses it any more.
    (!queue.is_null()).then(|| unsafe { Queue::from_raw(queue) })
}
