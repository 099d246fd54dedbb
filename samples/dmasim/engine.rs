// SPDX-License-Identifier: GPL-2.0

//! The engine: a kernel thread that writes all pages again and again.

use crate::{
    bindings,
    import::{Fence, Import},
    target::Target,
};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use kernel::{error::from_err_ptr, prelude::*, sync::Arc, time::delay::fsleep, time::Delta};

/// What the thread does, and how far it is.
pub(crate) struct Job {
    pages: Arc<Target>,
    first_generation: u64,
    pause_us: u64,
    passes: AtomicU64,
    /// Whether it is to end with the pass, and to unmap.
    drain: AtomicBool,
}

/// What a thread that is not stopped but drained gives back at its end.
pub(crate) struct Drained {
    pub(crate) fence: Fence,
    pub(crate) import: Arc<Import>,
}

/// What a thread gets.
struct Own {
    job: Arc<Job>,
    drained: Option<Drained>,
}

/// Largest generation: it has 32 bits of a word.
pub(crate) const LAST_GENERATION: u64 = u32::MAX as u64;

/// Lets others run, if the thread ran long and the kernel does not see to it.
fn reschedule() {
    #[cfg(any(not(CONFIG_PREEMPTION), CONFIG_PREEMPT_DYNAMIC))]
    // SAFETY: A kernel thread that holds nothing.
    unsafe {
        bindings::__cond_resched()
    };
}

impl Job {
    /// Complete passes.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.load(Ordering::Acquire)
    }

    /// Generation of the last complete pass, if there is one.
    pub(crate) fn completed(&self) -> Option<u64> {
        let passes = self.passes();
        (passes != 0).then(|| self.generation(passes - 1))
    }

    fn generation(&self, pass: u64) -> u64 {
        (self.first_generation + pass).min(LAST_GENERATION)
    }

    /// Has it end with the pass that it is in.
    pub(crate) fn drain(&self) {
        self.drain.store(true, Ordering::Relaxed);
    }

    fn is_drained(&self) -> bool {
        self.drain.load(Ordering::Relaxed)
    }

    fn run(&self) {
        while !should_stop() && !self.is_drained() {
            let pass = self.passes();
            for page in 0..self.pages.len() {
                self.pages.write(page, self.generation(pass));
                reschedule();
                if should_stop() {
                    return;
                }
            }
            self.passes.store(pass + 1, Ordering::Release);
            if self.pause_us != 0 && !self.is_drained() {
                fsleep(Delta::from_micros(self.pause_us as i64));
            }
        }
    }
}

fn should_stop() -> bool {
    // SAFETY: Only called by our thread.
    unsafe { bindings::kthread_should_stop() }
}

/// A running engine. Dropping stops it, and waits for that.
pub(crate) struct Thread {
    task: *mut bindings::task_struct,
    pub(crate) job: Arc<Job>,
}

// SAFETY: A kernel thread may be stopped by any task.
unsafe impl Send for Thread {}

impl Thread {
    /// Starts writing. Errors: `ENOMEM`, `EINTR`.
    pub(crate) fn start(
        pages: Arc<Target>,
        first_generation: u64,
        pause_us: u64,
        drained: Option<Drained>,
    ) -> Result<Self> {
        let job = Arc::new(
            Job {
                pages,
                first_generation,
                pause_us,
                passes: AtomicU64::new(0),
                drain: AtomicBool::new(false),
            },
            GFP_KERNEL,
        )?;
        let own = Own {
            job: job.clone(),
            drained,
        };
        let own = KBox::into_raw(KBox::new(own, GFP_KERNEL)?);
        // SAFETY: `run` gets the box that it expects; the format has no arguments.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(run),
                own.cast(),
                bindings::NUMA_NO_NODE,
                c"dmasim".as_char_ptr(),
            )
        })
        .inspect_err(|_| {
            // SAFETY: No thread took it.
            drop(unsafe { KBox::from_raw(own) });
        })?;
        // SAFETY: The thread was just made. `kthread_stop` needs a reference when it has ended.
        unsafe {
            bindings::get_task_struct(task);
            bindings::wake_up_process(task);
        }
        Ok(Self { task, job })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: We hold a reference to the thread, which ends only when told to.
        unsafe {
            bindings::kthread_stop(self.task);
            bindings::put_task_struct(self.task);
        }
    }
}

/// # Safety
///
/// `own` is a `KBox<Own>`.
unsafe extern "C" fn run(own: *mut c_void) -> c_int {
    // SAFETY: As the caller promises. A thread that was stopped before it ran does not come here,
    // but `start` wakes it first, and a woken thread always runs.
    let own = unsafe { KBox::<Own>::from_raw(own.cast()) };
    let Own { job, drained } = KBox::into_inner(own);
    job.run();
    if let Some(Drained { fence, import }) = drained {
        drop(fence);
        if job.is_drained() {
            import.unmap();
        }
    }
    while !should_stop() {
        fsleep(Delta::from_millis(1));
    }
    0
}
