// SPDX-License-Identifier: GPL-2.0

//! What could not be saved, lease by lease.

use super::Arbiter;
use crate::{event::Event, failure::Failure};

impl Arbiter {
    /// Remembers it for each lease that has a page of it.
    pub(crate) fn note_failure(&mut self, failure: Failure) {
        for (range, leased) in self.leases.overlapping_mut(failure.range) {
            if let Some(range) = range.intersection(&failure.range) {
                let error = failure.error;
                Failure::join(&mut leased.failure, Failure { error, range });
                self.failed = true;
            }
        }
    }

    /// Tells holders, and who watches, what was remembered.
    pub(crate) fn tell_failures(&mut self) {
        if !core::mem::take(&mut self.failed) {
            return;
        }
        for (_, leased) in self.leases.iter_mut() {
            if let Some(Failure { error, range }) = leased.failure.take() {
                leased.tell(Event::error(leased.about(range), error));
            }
        }
    }
}
