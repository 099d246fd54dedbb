// SPDX-License-Identifier: GPL-2.0

//! Pins that others make of a leased file: io_uring, RDMA, VFIO and whoever else asks GUP for memory
//! for a long time.
//!
//! Under leases with a grant they may (`vma_needs_dirty_tracking`, asked by GUP with the mmap lock
//! held until it has pinned). Nobody tells us when they unpin, so that who needs to know looks at
//! the folios. What is about to be pinned cannot be seen there; so a breaker first makes known that
//! it looks, from where on nothing is granted in its way, and then waits for all who may have been
//! granted something before: they hold the mmap lock of one of the [address
//! spaces](LeasedFile::wait_for_pinners) that are remembered.

use crate::{
    gup,
    lease::Lease,
    leased_file::LeasedFile,
    policy::range::{PageRange, LARGEST_FOLIO},
    rearm::Frozen,
    registry,
    sys::{folio::Folio, interval_map::Room, mm::Mm, process::Process, vma::Vma},
    trace,
};
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{prelude::*, sync::Arc};

/// What others have in the way of a breaker.
#[derive(Clone, Copy)]
pub(crate) struct Others {
    /// The breaker's range with all pages of the pinned folios at its ends: those go together.
    pub(crate) reach: PageRange,
    /// Whether they pin something in it, or what they pinned has to be made dirty yet.
    pub(crate) pin: bool,
}

impl Others {
    /// Where nothing is granted.
    pub(crate) fn none(range: PageRange) -> Self {
        Self {
            reach: range,
            pin: false,
        }
    }
}

/// Somebody looks, or is going to, what others have pinned in a range. While it lives nothing is
/// leased, pinned or granted there.
pub(crate) struct Looking<'a> {
    file: &'a LeasedFile,
    key: u64,
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

impl<'a> Looking<'a> {
    /// When it returns, whoever was granted something before has pinned. May sleep. Errors:
    /// `ENOMEM`.
    pub(crate) fn at(file: &'a LeasedFile, range: PageRange) -> Result<Self> {
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let room = Room::new()?;
        file.arbiter.lock().looks(key, range, room);
        let looking = Self { file, key };
        file.wait_for_pinners();
        Ok(looking)
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.file.arbiter.lock().looked(self.key);
    }
}

/// Whether GUP may pin pages of `vma` for a long time: the current task in `PINLEASE_IOC_PIN`, or
/// anybody under leases with a grant. The caller holds the mmap lock. May sleep.
pub(crate) fn may_pin(vma: &Vma) -> bool {
    let Some(key) = vma.mapping_key() else {
        return false;
    };
    gup::granted(key) || registry::find(key).is_some_and(|file| file.grants(vma))
}

impl LeasedFile {
    fn grants(&self, vma: &Vma) -> bool {
        let Ok(range) = vma.range() else {
            return false;
        };
        if !vma.is_shared_writable() || !self.has_grants_near(range) {
            return false;
        }
        // First: a breaker that does not find it has found the file with no grants in its way.
        let prepared = self.learn_operations(vma).and_then(|()| self.remember(vma));
        let granted = prepared.is_ok() && self.covered(range, vma);
        trace::grant(self.inode(), range, granted);
        granted
    }

    fn covered(&self, range: PageRange, vma: &Vma) -> bool {
        let direct_io = || self.inode().has_direct_io();
        let ours = |holder: &Process| vma.is_of(holder);
        self.arbiter.lock().may_pin(range, direct_io, ours)
    }

    /// Whether leases with a grant are so near that a folio can reach from there into `range`.
    pub(crate) fn has_grants_near(&self, range: PageRange) -> bool {
        self.arbiter.lock().has_grants(range.widened(LARGEST_FOLIO))
    }

    /// Remembers an address space in which something may be pinned.
    fn remember(&self, vma: &Vma) -> Result {
        let mut pinners = self.pinners.lock();
        let mm = Mm::of(vma);
        if pinners.iter().all(|known| known.key() != mm.key()) {
            pinners.retain(|known| !known.is_gone());
            pinners.push(mm, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Waits until all have pinned who were granted something. May sleep.
    pub(crate) fn wait_for_pinners(&self) {
        let mut after = 0;
        loop {
            let pinners = self.pinners.lock();
            let later = pinners.iter().filter(|mm| mm.key() > after);
            let Some(mm) = later.min_by_key(|mm| mm.key()).cloned() else {
                return;
            };
            drop(pinners);
            after = mm.key();
            if !mm.is_gone() {
                mm.wait_for_readers();
            }
        }
    }

    /// What others have in the way of a breaker of `range`. Somebody is [`Looking`]. May sleep.
    pub(crate) fn others_in(&self, range: PageRange) -> Others {
        let mut reach = range;
        for page in [range.first(), range.end() - 1] {
            if let Some(folio) = self.mapping().pinned_folio_at(page) {
                reach = reach.joined(&folio);
            }
        }
        let pin = self.mapping().has_pinned(reach)
            || self.grants_in(reach).any(|lease| lease.has_written(reach));
        Others { reach, pin }
    }

    /// Whether others have nothing in `range` any more; what they had is dirty then. Somebody is
    /// [`Looking`], or it is a breaker's. May sleep.
    pub(crate) fn others_are_gone(&self, range: PageRange) -> bool {
        !self.has_grants_near(range)
            || !self.mapping().has_pinned(range)
                && !self
                    .rearm_others(range, Frozen::Refuse)
                    .is_err_and(crate::lease::keeps_pin)
    }

    /// Notes that a folio was written back while it was pinned. Any context but interrupts.
    pub(crate) fn note_written(&self, folio: &Folio) {
        let Ok(pages) = PageRange::new(folio.index(), folio.pages()) else {
            return;
        };
        if let Some(grant) = (self.arbiter.lock()).grant_at(pages).and_then(Lease::grant) {
            grant.note(folio);
        }
    }

    /// The leases with a grant in `range`, as they are met one after the other.
    pub(crate) fn grants_in(&self, range: PageRange) -> impl Iterator<Item = Arc<Lease>> + '_ {
        let mut next = 0;
        core::iter::from_fn(move || {
            let lease = self.arbiter.lock().next_grant(next, range)?;
            next = lease.id + 1;
            Some(lease)
        })
    }

    /// Forgets address spaces when there is no grant any more. May sleep.
    pub(crate) fn forget_pinners(&self) {
        let mut pinners = self.pinners.lock();
        if !self.arbiter.lock().has_any_grant() {
            pinners.clear();
        }
    }
}
