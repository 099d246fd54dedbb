// SPDX-License-Identifier: GPL-2.0

//! What could not be saved: it is gathered, and told to the leases that it concerns.
//!
//! fsync reports such errors, too, but to whoever calls it; the holder must know that what its
//! device wrote is not on the disk. What fails while a [`Pass`] is under way is one event. What fails
//! in an interrupt, when a write ends, is noted there and told soon by a work.

use crate::{leased_file::LeasedFile, policy::range::PageRange, registry, sys::work::StaticWork};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::prelude::*;

static WORK: StaticWork = StaticWork::new(run);

/// Milliseconds in which writes that fail one after the other are one event.
const TOGETHER: u32 = 100;

/// Once, before anything else here.
pub(crate) fn init() {
    WORK.init();
}

/// A write failed: tell soon. Any context.
pub(crate) fn look_soon() {
    WORK.run_within(TOGETHER);
}

/// Ends for good. No snapshot is being written any more. May sleep.
pub(crate) fn stop() {
    WORK.cancel();
}

fn run() {
    for file in registry::files() {
        if file.passes.0.load(Ordering::Acquire) == 0 {
            file.tell_failures();
        }
    }
}

/// What failed, and with which error first.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) range: PageRange,
}

impl Failure {
    /// Adds what failed later.
    pub(crate) fn join(noted: &mut Option<Self>, later: Self) {
        *noted = Some(match noted {
            Some(first) => Self {
                error: first.error,
                range: first.range.joined(&later.range),
            },
            None => later,
        });
    }
}

/// Failures of a file are not told as long as one of these lives, so that one event tells of all.
pub(crate) struct Pass<'a>(&'a LeasedFile);

/// Passes of a file that are under way.
#[derive(Default)]
pub(crate) struct Passes(AtomicUsize);

impl LeasedFile {
    /// Begins to gather failures.
    pub(crate) fn gather_failures(&self) -> Pass<'_> {
        self.passes.0.fetch_add(1, Ordering::Relaxed);
        Pass(self)
    }

    /// What is in `range` could not be saved. Any context but interrupts.
    pub(crate) fn note_failure(&self, error: Error, range: PageRange) {
        self.arbiter.lock().note_failure(Failure { error, range });
    }

    /// Whether an error was recorded since this was asked before: an fsync that fails may be about
    /// that.
    pub(crate) fn explains_failure(&self) -> bool {
        let recorded = self.counters.recorded.get();
        self.explained.swap(recorded, Ordering::Relaxed) != recorded
    }

    /// Tells the leases of what was noted. Any context but interrupts.
    pub(crate) fn tell_failures(&self) {
        let unwritten = self.counters.unwritten.with(Option::take);
        let mut arbiter = self.arbiter.lock();
        if let Some(range) = unwritten {
            arbiter.note_failure(Failure { error: EIO, range });
        }
        arbiter.tell_failures();
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // A pass that is not the last leaves it to the last.
        if self.0.passes.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.tell_failures();
        }
    }
}
