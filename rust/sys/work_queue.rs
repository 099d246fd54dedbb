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

/// The queue, which nobody is given any more. Drop it when those who were have put work into it:
/// that waits until all is done, and may sleep.
pub(crate) struct Closed(*mut bindings::workqueue_struct);

/// Gives the queue to nobody any more.
pub(crate) fn close() -> Closed {
    Closed(QUEUE.swap(core::ptr::null_mut(), Ordering::AcqRel))
}

impl Drop for Closed {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: It was allocated by `init`, and nobody uses it any more.
            unsafe { bindings::destroy_workqueue(self.0) };
        }
    }
}

/// The queue; `None` before [`init()`] and after [`close`].
pub(crate) fn queue() -> Option<&'static Queue> {
    let queue = QUEUE.load(Ordering::Acquire);
    // SAFETY: The queue lives until `Closed` is dropped, when nobody uses it any more.
    (!queue.is_null()).then(|| unsafe { Queue::from_raw(queue) })
}
