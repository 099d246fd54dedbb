// SPDX-License-Identifier: GPL-2.0

//! Pins that others make of a leased file: io_uring, RDMA, VFIO and whoever else asks GUP for memory
//! for a long time.
//!
//! Under leases with a grant they may (`vma_needs_dirty_tracking`, asked by GUP with the mmap lock
//! held until it has pinned). Nobody tells us when they unpin, so that who needs to know looks at
//! the folios. What is about to be pinned cannot be seen there; so a breaker first makes known that
//! it looks, from where on nothing is granted in its way, and then lets all [pin](Pinners) who may
//! have been granted something before: they hold the mmap lock of one of the address spaces that are
//! remembered.

use crate::{
    gup,
    lease::Lease,
    leased_file::LeasedFile,
    policy::range::{PageRange, LARGEST_FOLIO},
    rearm::{keeps_pin, Frozen},
    registry,
    sys::{folio::Folio, interval_map::Room, mm::Mm, process::Process, vma::Vma},
    trace,
};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

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

    /// Where it cannot be told yet.
    fn unknown(range: PageRange) -> Self {
        Self {
            reach: range,
            pin: true,
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
    /// May sleep. Errors: `ENOMEM`.
    pub(crate) fn at(file: &'a LeasedFile, range: PageRange) -> Result<Self> {
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let room = Room::new()?;
        file.arbiter.lock().looks(key, range, room);
        Ok(Self { file, key })
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.file.arbiter.lock().looked(self.key);
    }
}

/// Who may have been granted something before nothing was granted any more, and not have pinned yet.
/// They are not waited for: a process can hold its mmap lock for as long as it likes.
pub(crate) struct Pinners {
    /// The last address space that was looked at.
    after: AtomicUsize,
    done: AtomicBool,
}

impl Pinners {
    pub(crate) const fn new() -> Self {
        Self {
            after: AtomicUsize::new(0),
            done: AtomicBool::new(false),
        }
    }

    /// Whether all have pinned who were granted something of `file` before the first call. May sleep.
    pub(crate) fn have_pinned(&self, file: &LeasedFile) -> bool {
        while !self.done.load(Ordering::Relaxed) {
            let pinners = file.pinners.lock();
            let after = self.after.load(Ordering::Relaxed);
            let later = pinners.iter().filter(|mm| mm.key() > after);
            let next = later.min_by_key(|mm| mm.key()).cloned();
            drop(pinners);
            let Some(mm) = next else {
                self.done.store(true, Ordering::Relaxed);
                break;
            };
            if !mm.is_gone() && mm.has_readers() {
                return false;
            }
            self.after.store(mm.key(), Ordering::Relaxed);
        }
        true
    }

    /// As [`have_pinned`](Self::have_pinned), but tries for a moment. May sleep.
    fn have_soon_pinned(&self, file: &LeasedFile) -> bool {
        for _ in 0..TRIES {
            if self.have_pinned(file) {
                return true;
            }
            fsleep(Delta::from_millis(1));
        }
        false
    }
}

/// How often, a millisecond apart, it is tried to see all.
const TRIES: usize = 20;

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
        // It is remembered before it counts: a breaker that comes later finds it. And only if it
        // would count: others shall not be remembered.
        let granted = self.covers(range, vma)
            && self.learn_operations(vma).is_ok()
            && self.covers_remembered(range, vma);
        if granted {
            self.arbiter.lock().count_grant(range);
        }
        trace::grant(self.inode(), range, granted);
        granted
    }

    /// Remembers the address space for as long as there are grants. May sleep.
    fn covers_remembered(&self, range: PageRange, vma: &Vma) -> bool {
        let mut pinners = self.pinners.lock();
        let mm = Mm::of(vma);
        if pinners.iter().all(|known| known.key() != mm.key()) {
            pinners.retain(|known| !known.is_gone());
            if pinners.push(mm, GFP_KERNEL).is_err() {
                return false;
            }
        }
        self.covers(range, vma)
    }

    fn covers(&self, range: PageRange, vma: &Vma) -> bool {
        let direct_io = || self.inode().has_direct_io();
        let ours = |holder: &Process| vma.is_of(holder);
        self.arbiter.lock().may_pin(range, direct_io, ours)
    }

    /// As [`Arbiter::has_grants_near`](crate::arbiter::Arbiter::has_grants_near).
    pub(crate) fn has_grants_near(&self, range: PageRange) -> bool {
        self.arbiter.lock().has_grants_near(range)
    }

    /// What others have in the way of a breaker of `range`; what they had is dirty then. Somebody is
    /// [`Looking`], since before `pinners`. May sleep.
    pub(crate) fn look_for_others(&self, range: PageRange, pinners: &Pinners) -> Others {
        match pinners.have_soon_pinned(self) {
            true => self.others_in(range),
            false => Others::unknown(range),
        }
    }

    /// As [`look_for_others`](Self::look_for_others), of those who have pinned. May sleep.
    fn others_in(&self, range: PageRange) -> Others {
        // What cannot be made dirty now is lost when its folio leaves the file.
        let rearmed = self.rearm_others(range, Frozen::Refuse);
        if rearmed.is_err_and(keeps_pin) {
            return Others::unknown(range);
        }
        let mut reach = range;
        for page in [range.first(), range.end() - 1] {
            if let Some(folio) = self.mapping().pinned_folio_at(page) {
                reach = reach.joined(&folio);
            }
        }
        let pin = self.others_pin(reach);
        let reach = if pin { reach } else { range };
        Others { reach, pin }
    }

    /// Whether something is pinned in a part of `range` where others may have pinned. May sleep.
    fn others_pin(&self, range: PageRange) -> bool {
        self.grants_in(range.widened(LARGEST_FOLIO))
            .any(|(_, granted)| {
                let common = granted.widened(LARGEST_FOLIO).intersection(&range);
                common.is_some_and(|common| self.mapping().has_pinned(common))
            })
    }

    /// Whether others have nothing in `range` any more; what they had is dirty then. Nothing is
    /// granted there any more, since before `pinners`. May sleep.
    pub(crate) fn others_are_gone(&self, range: PageRange, pinners: &Pinners) -> bool {
        !self.has_grants_near(range) || pinners.have_pinned(self) && !self.others_in(range).pin
    }

    /// Notes that a pinned folio became clean. Any context but interrupts.
    pub(crate) fn note_clean(&self, folio: &Folio) {
        let pages = folio.range();
        self.count_cleaning();
        let arbiter = self.arbiter.lock();
        for written in arbiter.written_in(pages) {
            written.forget(pages);
        }
        // Pins of those who were granted nothing are short (O_DIRECT), and make pages dirty themselves.
        let granted = self.private_vma().is_some();
        let grant = arbiter.grant_at(pages).filter(|_| granted);
        drop(arbiter);
        if let Some(grant) = grant {
            grant.note(folio);
        }
    }

    /// The leases with a grant in `range`, with their ranges, as they are met one after the other.
    pub(crate) fn grants_in(
        &self,
        range: PageRange,
    ) -> impl Iterator<Item = (Arc<Lease>, PageRange)> + '_ {
        let mut next = 0;
        core::iter::from_fn(move || {
            let (lease, granted) = self.arbiter.lock().next_grant(next, range)?;
            next = lease.id + 1;
            Some((lease, granted))
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
