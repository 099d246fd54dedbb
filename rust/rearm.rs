// SPDX-License-Identifier: GPL-2.0

//! Re-arming: a pinned page is made dirty again, the filesystem's own way, whenever it counts.
//!
//! The kernel cannot see what a device writes, so a page that was written back looks clean while
//! it changes. Before somebody asks for durability every pinned folio of the range goes through
//! the filesystem's `page_mkwrite`, which reserves what the next writeback needs, respects freeze
//! and quota, and says so when it cannot. Documentation/design.rst tells why a dirty bit is not
//! enough.
//!
//! What is still as it was [written](crate::written) last is left alone.
//!
//! Each filesystem's `page_mkwrite` prepares the whole folio, so that one call for each folio does.

use crate::{
    grant::{Grant, Next},
    leased_file::LeasedFile,
    pin::HeldPin,
    policy::range::{PageRange, LARGEST_FOLIO},
    sys::{cred, folio::Folio, mapping::Mapping, super_block::WriteGuard},
    trace,
    waves::Waves,
    written::Written,
};
use core::sync::atomic::Ordering;
use kernel::{prelude::*, sync::Arc};

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
    /// Re-arms the pinned folios of `range`, but for pins whose holder marks, in [waves](Waves). May
    /// sleep long.
    ///
    /// Every folio is tried. The first error is returned, and is also what the next fsync of every
    /// open file reports. Errors: `EBUSY` (frozen; only with [`Frozen::Refuse`], and then nothing
    /// is recorded), `ENOMEM`, `EIO`.
    pub(crate) fn rearm(&self, range: PageRange, frozen: Frozen) -> Result {
        let _pass = self.gather_failures();
        let mut waves = Waves::new(self.mapping());
        self.rearm_some(range, frozen, Some(&mut waves), |pin| !pin.marked)
            .and(self.rearm_noted(range, frozen, Some(&mut waves)))
    }

    /// Re-arms the folios of `range` that became clean while others pinned them. As
    /// [`rearm`](Self::rearm); what fails stays noted while it is pinned.
    pub(crate) fn rearm_others(&self, range: PageRange, frozen: Frozen) -> Result {
        self.rearm_noted(range, frozen, None)
    }

    fn rearm_noted(
        &self,
        range: PageRange,
        frozen: Frozen,
        mut waves: Option<&mut Waves<'_>>,
    ) -> Result {
        if !self.has_grants_near(range) {
            return Ok(());
        }
        let _pass = self.gather_failures();
        let _holder = cred::act_as(self.file().cred());
        let _write = self.begin_write(frozen)?;
        let mut result = Ok(());
        for (lease, _) in self.grants_in(range.widened(LARGEST_FOLIO)) {
            if let Some(grant) = lease.grant() {
                result = result.and(self.rearm_grant(grant, range, waves.as_deref_mut()));
            }
        }
        result
    }

    fn rearm_grant(
        &self,
        grant: &Grant,
        range: PageRange,
        mut waves: Option<&mut Waves<'_>>,
    ) -> Result {
        let mut result = Ok(());
        let mut from = 0;
        loop {
            let noted = match grant.next(from, range) {
                Next::Folio(noted) => noted,
                Next::From(page) => {
                    from = page;
                    continue;
                }
                Next::End => return result,
            };
            from = noted.after();
            // Before the look: when it is not pinned, nothing changes any more.
            let pinned = noted.folio.maybe_pinned();
            let pages = noted.folio.range();
            if grant
                .written()
                .is_unchanged(self.mapping(), &noted.folio, pages)
            {
                if !pinned {
                    grant.done(&noted);
                }
                continue;
            }
            let rearmed = self.rearm_folio(&noted.folio, waves.as_deref_mut(), || true);
            result = result.and(rearmed);
            // A device may still write to it: tried again whenever it counts.
            let stays = rearmed.is_err()
                && (rearmed == Err(ENOMEM) || noted.folio.maybe_pinned())
                && self.has(&noted.folio);
            if !stays {
                grant.done(&noted);
            }
            if rearmed == Err(ENOMEM) {
                return result;
            }
        }
    }

    /// Whether a folio is in the file.
    fn has(&self, folio: &Folio) -> bool {
        folio.mapping().map(Mapping::key) == Some(self.key())
    }

    /// Re-arms the folios of `range` of those pins. As [`rearm`](Self::rearm).
    pub(crate) fn rearm_pins(
        &self,
        range: PageRange,
        frozen: Frozen,
        wanted: impl Fn(&HeldPin) -> bool,
    ) -> Result {
        self.rearm_some(range, frozen, None, wanted)
    }

    fn rearm_some(
        &self,
        range: PageRange,
        frozen: Frozen,
        mut waves: Option<&mut Waves<'_>>,
        wanted: impl Fn(&HeldPin) -> bool,
    ) -> Result {
        let _pass = self.gather_failures();
        let mut result = Ok(());
        for pin in self.pins() {
            if wanted(&pin) && pin.range().overlaps(&range) {
                result = result.and(self.rearm_part(&pin, range, frozen, waves.as_deref_mut()));
            }
        }
        result
    }

    /// Re-arms the folios of `pin` that have pages in `range`. As [`rearm`](Self::rearm).
    pub(crate) fn rearm_pin(&self, pin: &HeldPin, range: PageRange, frozen: Frozen) -> Result {
        self.rearm_part(pin, range, frozen, None)
    }

    fn rearm_part(
        &self,
        pin: &HeldPin,
        range: PageRange,
        frozen: Frozen,
        mut waves: Option<&mut Waves<'_>>,
    ) -> Result {
        let _pass = self.gather_failures();
        // A folio must not be written to on behalf of whoever happens to call: space that is
        // reserved for root, and quota, are the lease holder's.
        let _holder = cred::act_as(self.file().cred());
        let _write = self.begin_write(frozen)?;
        let mut result = Ok(());
        for (run, folio) in pin.pages().folios() {
            let first = pin.range().first() + u64::from(run.delta);
            let pages = PageRange::new(first, run.pages.into())?;
            let is_as = |written: &Arc<Written>| written.is_unchanged(self.mapping(), folio, pages);
            if !pages.overlaps(&range) || pin.written().is_some_and(is_as) {
                continue;
            }
            // Of a pin that ended meanwhile nobody is promised anything.
            let promised = || self.pin(pin.lease, pin.id).is_some();
            result = result.and(self.rearm_folio(folio, waves.as_deref_mut(), promised));
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

    fn rearm_folio(
        &self,
        folio: &Folio,
        waves: Option<&mut Waves<'_>>,
        promised: impl FnOnce() -> bool,
    ) -> Result {
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
                if let Some(waves) = waves {
                    waves.add(folio);
                }
            }
            Err(error) if promised() => {
                self.counters.errors.fetch_add(1, Ordering::Relaxed);
                self.mapping().set_error(error);
                self.note_failure(error, folio.range());
            }
            Err(_) => (),
        }
        result
    }
}

/// Whether this error of re-arming passes, and the pin that has to be re-armed stays until then: a
/// frozen filesystem (`EBUSY`), no memory.
pub(crate) fn keeps_pin(error: Error) -> bool {
    matches!(error, EBUSY | ENOMEM)
}
