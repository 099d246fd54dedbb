// SPDX-License-Identifier: GPL-2.0

//! Wait queues on which tasks wait for a condition, or poll.
//!
//! The kernel crate's `PollCondVar` waits for a grace period when it is dropped, because it may die
//! before those who poll it; ours belong to open files, which outlive them.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use super::clock;
use crate::bindings;
use kernel::{prelude::*, types::Opaque};

/// A `struct wait_queue_head`.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
}

// SAFETY: The queue has a lock of its own.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

/// Why a wait ended before its condition was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// A signal is pending.
    Interrupted,
    /// It took too long.
    TimedOut,
}

/// All tasks that wait, as `wake_up_all()` has it.
const EVERYBODY: c_int = 0;

impl WaitQueue {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The slot is ours to initialize.
            head <- Opaque::ffi_init(|head| unsafe {
                bindings::pinlease_init_waitqueue_head(head)
            }),
        })
    }

    /// Wakes all who wait. Any context.
    pub(crate) fn wake_all(&self) {
        // SAFETY: Initialized by `new`.
        unsafe {
            bindings::__wake_up(
                self.head.get(),
                bindings::TASK_NORMAL,
                EVERYBODY,
                core::ptr::null_mut(),
            )
        };
    }

    /// Waits until `done`, which may take spinlocks, or until `deadline` (CLOCK_MONOTONIC). A
    /// signal interrupts. May sleep.
    pub(crate) fn wait(
        &self,
        deadline: Option<u64>,
        mut done: impl FnMut() -> bool,
    ) -> Result<(), Ended> {
        let mut entry = bindings::wait_queue_entry::default();
        // SAFETY: The entry stays in place until it is taken out below.
        unsafe { bindings::init_wait_entry(&mut entry, 0) };
        let result = loop {
            // SAFETY: Queue and entry are initialized; they live until finish_wait().
            let pending = unsafe {
                bindings::prepare_to_wait_event(
                    self.head.get(),
                    &mut entry,
                    bindings::TASK_INTERRUPTIBLE as c_int,
                )
            };
            if done() {
                break Ok(());
            }
            if pending != 0 {
                break Err(Ended::Interrupted);
            }
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                break Err(Ended::TimedOut);
            }
            sleep(deadline);
        };
        // SAFETY: As above.
        unsafe { bindings::finish_wait(self.head.get(), &mut entry) };
        result
    }

    /// Adds who polls `file`; `table` is the argument of `->poll`.
    ///
    /// # Safety
    ///
    /// `file` and `table` are those of a call of `->poll`, and the queue lives as long as the file.
    pub(crate) unsafe fn register_poll(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) {
        // SAFETY: As the caller promises.
        unsafe { bindings::pinlease_poll_wait(file, self.head.get(), table) };
    }
}

/// Sleeps until somebody wakes the task, whose state is set, or until `deadline`.
fn sleep(deadline: Option<u64>) {
    match deadline {
        Some(deadline) => {
            let mut deadline = i64::try_from(deadline).unwrap_or(i64::MAX);
            // SAFETY: May sleep here.
            unsafe {
                bindings::schedule_hrtimeout(&mut deadline, bindings::hrtimer_mode_HRTIMER_MODE_ABS)
            };
        }
        // SAFETY: May sleep here.
        None => unsafe { bindings::schedule() },
    }
}
