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
    failure::Pass,
    grant::{Grant, Next},
    lease::Lease,
    leased_file::LeasedFile,
    pin::HeldPin,
    policy::range::{PageRange, LARGEST_FOLIO, PAGE_SIZE},
    statistics::{activity::Activity, totals},
    sys::{
        cred::{self, Acting},
        folio::Folio,
        mapping::Mapping,
        super_block::WriteGuard,
    },
    trace,
    waves::Waves,
    written::Written,
};
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
    /// Re-arms the pinned folios of `range`, but for pins whose holder marks, in [waves](Waves), for
    /// somebody who asks for durability. May sleep long.
    ///
    /// Every folio is tried. The first error is returned, and recorded nowhere: whoever asks next
    /// tries again. Errors: `EBUSY` (frozen; only with [`Frozen::Refuse`]), `ENOMEM`, `ENOSPC`,
    /// `EDQUOT`, `EIO`.
    pub(crate) fn rearm(&self, range: PageRange, frozen: Frozen) -> Result {
        let waves = Some(Waves::new(self.mapping()));
        let mut rearming = Rearming::new(self, range, frozen, waves);
        let pins = rearming.pins(|pin| !pin.marked);
        pins.and(rearming.noted())
    }

    /// Re-arms the folios of `range` of those pins, which may be left alone then. As
    /// [`rearm`](Self::rearm), but an error that does not [keep the pin](keeps_pin) is recorded: the
    /// next fsync of every open file reports it.
    pub(crate) fn rearm_pins(
        &self,
        range: PageRange,
        frozen: Frozen,
        wanted: impl Fn(&HeldPin) -> bool,
    ) -> Result {
        Rearming::new(self, range, frozen, None).pins(wanted)
    }

    /// Re-arms the folios of `pin`. As [`rearm_pins`](Self::rearm_pins).
    pub(crate) fn rearm_pin(&self, pin: &HeldPin, frozen: Frozen) -> Result {
        Rearming::new(self, pin.range(), frozen, None).pin(pin)
    }

    /// Re-arms the folios of `range` that became clean while others pinned them. As
    /// [`rearm_pins`](Self::rearm_pins); what fails stays noted while it is pinned.
    pub(crate) fn rearm_others(&self, range: PageRange, frozen: Frozen) -> Result {
        Rearming::new(self, range, frozen, None).noted()
    }
}

/// A pass over what is pinned in a range of a file.
struct Rearming<'a> {
    file: &'a LeasedFile,
    range: PageRange,
    frozen: Frozen,
    /// `None` when pages may be left alone afterwards.
    waves: Option<Waves<'a>>,
    _failures: Pass<'a>,
}

impl<'a> Rearming<'a> {
    fn new(
        file: &'a LeasedFile,
        range: PageRange,
        frozen: Frozen,
        waves: Option<Waves<'a>>,
    ) -> Self {
        Self {
            file,
            range,
            frozen,
            waves,
            _failures: file.gather_failures(),
        }
    }

    fn pins(&mut self, wanted: impl Fn(&HeldPin) -> bool) -> Result {
        let mut result = Ok(());
        for pin in self.file.pins() {
            if wanted(&pin) && pin.range().overlaps(&self.range) {
                result = result.and(self.pin(&pin));
            }
        }
        result
    }

    fn pin(&mut self, pin: &HeldPin) -> Result {
        let _allowed = self.begin()?;
        let mut result = Ok(());
        for (run, folio) in pin.pages().folios() {
            let first = pin.range().first() + u64::from(run.delta);
            let pages = PageRange::new(first, run.pages.into())?;
            if !pages.overlaps(&self.range) {
                continue;
            }
            if self.is_unchanged(pin.written(), folio, pages) {
                unchanged(&pin.activity, pages);
                continue;
            }
            match self.folio(folio, pin.lease, &pin.activity) {
                // Of a pin that ended meanwhile nobody is promised anything.
                Err(error) if self.file.pin(pin.lease, pin.id).is_some() => {
                    result = result.and(Err(error));
                    self.failed(folio, error);
                    if self.waves.is_none() {
                        self.record(error);
                    }
                }
                _ => (),
            }
        }
        result
    }

    /// What became clean while others pinned it.
    fn noted(&mut self) -> Result {
        if !self.file.has_grants_near(self.range) {
            return Ok(());
        }
        let _allowed = self.begin()?;
        let mut result = Ok(());
        for (lease, _) in self.file.grants_in(self.range.widened(LARGEST_FOLIO)) {
            if let Some(grant) = lease.grant() {
                result = result.and(self.grant(&lease, grant));
            }
        }
        result
    }

    fn grant(&mut self, lease: &Lease, grant: &Grant) -> Result {
        let mut result = Ok(());
        let mut from = 0;
        loop {
            let noted = match grant.next(from, self.range) {
                Next::Folio(noted) => noted,
                Next::From(page) => {
                    from = page;
                    continue;
                }
                Next::End => return result,
            };
            from = noted.after();
            let folio = &noted.folio;
            // Before the look: when it is not pinned, nothing changes any more.
            let pinned = folio.maybe_pinned();
            if self.is_unchanged(Some(grant.written()), folio, folio.range()) {
                unchanged(&lease.activity, folio.range());
                if !pinned {
                    grant.done(&noted);
                }
                continue;
            }
            let rearmed = self.folio(folio, lease.id, &lease.activity);
            if let Err(error) = rearmed {
                result = result.and(rearmed);
                self.failed(folio, error);
                if keeps_pin(error) {
                    return result;
                }
                // A device may still write to it: tried again whenever it counts.
                if folio.maybe_pinned() && self.file.has(folio) {
                    continue;
                }
                self.record(error);
            }
            grant.done(&noted);
        }
    }

    /// What is needed to make pages dirty, as long as the result lives. Errors: `EBUSY`.
    fn begin(&self) -> Result<(Acting<'a>, Option<WriteGuard<'a>>)> {
        // A folio must not be written to on behalf of whoever happens to call: space that is
        // reserved for root, and quota, are the lease holder's.
        let holder = cred::act_as(self.file.file().cred());
        // Holding the outer level of a freeze keeps `page_mkwrite` from waiting for a thaw.
        let write = match self.frozen {
            Frozen::Wait => None,
            Frozen::Refuse => Some(self.file.super_block().try_start_write().ok_or(EBUSY)?),
        };
        Ok((holder, write))
    }

    /// Whether these pages of a folio need not be written again.
    fn is_unchanged(
        &self,
        written: Option<&Arc<Written>>,
        folio: &Folio,
        pages: PageRange,
    ) -> bool {
        written.is_some_and(|written| written.is_unchanged(self.file.mapping(), folio, pages))
    }

    /// Makes it dirty on account of a lease.
    fn folio(&mut self, folio: &Folio, lease: u64, activity: &Activity) -> Result {
        let vma = self.file.private_vma().ok_or(EIO)?;
        let result = vma.make_writable(folio).map_err(|error| match error {
            // It left the file under the pin: nothing that is written to it can be saved.
            ENOENT => EIO,
            error => error,
        });
        trace::rearm(self.file.inode(), lease, folio, result);
        if result.is_ok() {
            totals::REARMED.add(1);
            activity.rearmed.add(1);
            activity.rearmed_bytes.add(folio.pages() * PAGE_SIZE);
            self.file.counters.rearmed.add(1);
            if let Some(waves) = &mut self.waves {
                waves.add(folio);
            }
        }
        result
    }

    /// Tells the holder.
    fn failed(&self, folio: &Folio, error: Error) {
        self.file.counters.errors.add(1);
        totals::ERRORS.add(1);
        self.file.note_failure(error, folio.range());
    }

    /// Nobody will try again: fsync is to tell.
    fn record(&self, error: Error) {
        if !keeps_pin(error) {
            self.file.counters.recorded.add(1);
            self.file.mapping().set_error(error);
        }
    }
}

/// Pages of a lease are left alone.
fn unchanged(activity: &Activity, pages: PageRange) {
    totals::UNCHANGED_PAGES.add(pages.count());
    activity.unchanged_pages.add(pages.count());
}

impl LeasedFile {
    /// Whether a folio is in the file.
    fn has(&self, folio: &Folio) -> bool {
        folio.mapping().map(Mapping::key) == Some(self.key())
    }
}

/// Whether this error of re-arming passes, and the pin that has to be re-armed stays until then: a
/// frozen filesystem (`EBUSY`), no memory.
pub(crate) fn keeps_pin(error: Error) -> bool {
    matches!(error, EBUSY | ENOMEM)
}
