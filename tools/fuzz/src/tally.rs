// SPDX-License-Identifier: GPL-2.0
//! Counts, in memory that the workers share with who started them.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use crate::{
    coverage::Edges,
    operation::{Sequence, Step},
    variant::VARIANTS,
};

/// Workers that there may be.
pub const WORKERS: usize = 16;

/// Steps that a sequence may have.
pub const STEPS: usize = 512;

/// Who is told of steps.
pub trait Tally {
    /// It is about to be done.
    fn begins(&self, step: Step);
    /// It changed something.
    fn changed(&self, step: Step);
    /// It was refused, as it had to be.
    fn refused(&self);
    /// One in some of its kind took so long.
    fn took(&self, step: Step, time: Duration);
}

/// Nobody counts.
#[derive(Debug)]
pub struct Uncounted;

impl Tally for Uncounted {
    fn begins(&self, _: Step) {}
    fn changed(&self, _: Step) {}
    fn refused(&self) {}
    fn took(&self, _: Step, _: Duration) {}
}

/// What one worker counts.
#[derive(Debug)]
pub struct Slot {
    /// Operations that succeeded and changed the state, by kind.
    pub changed: [AtomicU64; VARIANTS],
    /// Operations that failed as they had to.
    pub refused: AtomicU64,
    /// Microseconds that some took, by kind, and how many those were.
    pub times: [(AtomicU64, AtomicU64); VARIANTS],
    /// Operations of any kind; it stands still when the worker does.
    pub begun: AtomicU64,
    /// Sequences.
    pub sequences: AtomicU64,
    /// Sequences that reached something new.
    pub kept: AtomicU64,
    /// Things that are wrong.
    pub findings: AtomicU64,
    /// It is between two sequences and waits.
    pub rests: AtomicBool,
    /// The process of its partner.
    pub partner: AtomicUsize,
    length: AtomicUsize,
    steps: UnsafeCell<[Option<Step>; STEPS]>,
}

// SAFETY: only the worker writes its steps; they are read when it stands still.
unsafe impl Sync for Slot {}

impl Slot {
    /// A new sequence.
    pub fn restart(&self) {
        self.length.store(0, Ordering::Release);
    }

    /// What the worker is doing, or was when it stopped.
    pub fn sequence(&self) -> Sequence {
        let length = self.length.load(Ordering::Acquire).min(STEPS);
        // SAFETY: who stands still writes nothing.
        let steps = unsafe { &*self.steps.get() };
        Sequence(steps[..length].iter().copied().flatten().collect())
    }

    /// Operations that changed the state.
    pub fn all_changed(&self) -> u64 {
        self.changed
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

impl Tally for &Slot {
    fn begins(&self, step: Step) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let length = self.length.load(Ordering::Relaxed);
        if length < STEPS {
            // SAFETY: nobody reads while the worker runs.
            let steps = unsafe { &mut *self.steps.get() };
            steps[length] = Some(step);
            self.length.store(length + 1, Ordering::Release);
        }
    }

    fn changed(&self, step: Step) {
        self.changed[step.1.variant()].fetch_add(1, Ordering::Relaxed);
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn took(&self, step: Step, time: Duration) {
        let (sum, count) = &self.times[step.1.variant()];
        sum.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all share.
#[derive(Debug)]
pub struct Shared {
    /// The workers'.
    pub slots: [Slot; WORKERS],
    /// What was reached.
    pub edges: Edges,
    /// Workers shall wait after their sequences.
    pub pause: AtomicBool,
    /// Workers shall end.
    pub stop: AtomicBool,
}

impl Shared {
    /// Zeroes in memory that children share.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn new() -> nix::Result<&'static Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(nix::errno::Errno::last());
        }
        // SAFETY: it is large enough, aligned to a page, stays, and zeroes are counters at zero, no
        // flag, and steps of which none is looked at.
        Ok(unsafe { &*memory.cast() })
    }
}
