// SPDX-License-Identifier: GPL-2.0

//! Re-arming: a pinned page is made dirty again, the filesystem's own way, whenever it counts.
//!
//! The kernel cannot see what a device writes, so a page that was written back looks clean while
//! it changes. Before somebody asks for durability every pinned folio of the range goes through
//! the filesystem's `page_mkwrite`, which reserves what the next writeback needs, respects freeze
//! and quota, and says so when it cannot. Documentation/design.rst tells why a dirty bit is not
//! enough.
//!
//! Each filesystem's `page_mkwrite` prepares the whole folio, so that one call for each folio does.

use crate::{
    leased_file::LeasedFile,
    pin::HeldPin,
    policy::range::{PageRange, LARGEST_FOLIO},
    sys::{cred, folio::Folio, super_block::WriteGuard},
    trace,
};
use core::sync::atomic::Ordering;
use kernel::prelude::*;

/// What to do about a frozen filesystem.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// Wait for the thaw, as a write does; for callers that hold nothing, or that know that it is
    /// not frozen.
    Wait,
    /// Fail with `EBUSY`.
    Refuse,
}

impl LeasedFile {
    /// Re-arms the pinned folios of `range`, but for pins whose holder marks. May sleep long.
    ///
    /// Every folio is tried. The first error is returned, and is also what the next fsync of every
    /// open file reports. Errors: `EBUSY` (frozen; only with [`Frozen::Refuse`], and then nothing
    /// is recorded), `ENOMEM`, `EIO`.
    pub(crate) fn rearm(&self, range: PageRange, frozen: Frozen) -> Result {
        self.rearm_pins(range, frozen, |pin| !pin.marked)
            .and(self.rearm_others(range, frozen))
    }

    /// Re-arms the folios of `range` that were written back while others pinned them. As
    /// [`rearm`](Self::rearm); those that fail because of what passes stay noted.
    pub(crate) fn rearm_others(&self, range: PageRange, frozen: Frozen) -> Result {
        if !self.has_grants_near(range) {
            return Ok(());
        }
        let _holder = cred::act_as(self.file().cred());
        let _write = self.begin_write(frozen)?;
        let mut result = Ok(());
        for lease in self.grants_in(range.widened(LARGEST_FOLIO)) {
            let Some(grant) = lease.grant() else {
                continue;
            };
            for folio in grant.take(range) {
                let rearmed = self.rearm_folio(&folio, || true);
                if rearmed == Err(ENOMEM) {
                    grant.note(&folio);
                }
                result = result.and(rearmed);
                // A folio whose rearming failed once is not tried again and again.
                if rearmed == Err(ENOMEM) {
                    break;
                }
            }
        }
        result
    }

    /// Re-arms the folios of `range` of those pins. As [`rearm`](Self::rearm).
    pub(crate) fn rearm_pins(
        &self,
        range: PageRange,
        frozen: Frozen,
        wanted: impl Fn(&HeldPin) -> bool,
    ) -> Result {
        let mut result = Ok(());
        for pin in self.pins() {
            if wanted(&pin) && pin.range().overlaps(&range) {
                result = result.and(self.rearm_pin(&pin, range, frozen));
            }
        }
        result
    }

    /// Re-arms the folios of `pin` that have pages in `range`. As [`rearm`](Self::rearm).
    pub(crate) fn rearm_pin(&self, pin: &HeldPin, range: PageRange, frozen: Frozen) -> Result {
        // A folio must not be written to on behalf of whoever happens to call: space that is
        // reserved for root, and quota, are the lease holder's.
        let _holder = cred::act_as(self.file().cred());
        let _write = self.begin_write(frozen)?;
        let mut result = Ok(());
        for (run, folio) in pin.pages().folios() {
            let first = pin.range().first() + u64::from(run.delta);
            if PageRange::new(first, run.pages.into()).is_ok_and(|pages| pages.overlaps(&range)) {
                // Of a pin that ended meanwhile nobody is promised anything.
                let promised = || self.pin(pin.lease, pin.id).is_some();
                result = result.and(self.rearm_folio(folio, promised));
            }
        }
        result
    }

    /// Holding the outer level of a freeze keeps `page_mkwrite` from waiting for a thaw.
    fn begin_write(&self, frozen: Frozen) -> Result<Option<WriteGuard<'_>>> {
        match frozen {
            Frozen::Wait => Ok(None),
            Frozen::Refuse => Ok(Some(self.super_block().try_start_write().ok_or(EBUSY)?)),
        }
    }

    fn rearm_folio(&self, folio: &Folio, promised: impl FnOnce() -> bool) -> Result {
        let vma = self.private_vma().ok_or(EIO)?;
        let result = vma.make_writable(folio).map_err(|error| match error {
            // It left the file under the pin: nothing that is written to it can be saved.
            ENOENT => EIO,
            error => error,
        });
        trace::rearm(self.inode(), folio, result);
        match result {
            Ok(()) => {
                self.counters.rearmed.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if promised() => {
                self.counters.errors.fetch_add(1, Ordering::Relaxed);
                self.mapping().set_error(error);
            }
            Err(_) => (),
        }
        result
    }
}
