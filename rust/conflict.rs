// SPDX-License-Identifier: GPL-2.0

//! Operations that detach, move or share pages of a file, and the leases that they meet.
//!
//! The hooks that ask are on the filesystem's own operations, so that callers which bypass the
//! `vfs_` wrappers (nfsd, ksmbd, overlayfs, loop) come here, too. An operation is registered as a
//! [breaker](crate::breaker) until it has returned; nothing in its range is leased or pinned
//! meanwhile. Where a lease is in its way, it depends on what the caller holds:
//!
//! - nothing but freeze protection: that is given back while the breaker [waits](pass);
//! - locks, in a system call that can be begun anew: the operation [fails](pass_or_retry), and the
//!   call waits and tries again ([`crate::retry`]);
//! - anything else: the operation is [refused](pass_or_refuse) at once.

use crate::{
    arbiter::{Arbiter, Meeting},
    breaker::{Breaker, Operation},
    endless::Endless,
    expiry,
    leased_file::LeasedFile,
    others::{Looking, Others, Pinners},
    parameters,
    policy::{
        grace::{self, MILLISECOND},
        lease_state::Patience,
        range::PageRange,
    },
    registry, retry,
    statistics::{breaks::Outcome, latency},
    sys::{
        clock, freeze::Level, interval_map::Room, mapping::Mapping, operation_section::Section,
        task, wait_queue::Ended,
    },
    tick, trace,
    waiting::{self, Waiting},
};
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::{prelude::*, sync::Arc};

/// A range of a file that an operation is about to change.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) range: PageRange,
    /// Whether leases are not in the way, but only what is pinned there.
    pub(crate) only_pins: bool,
    /// What the caller can do about a lease there; of no meaning where it holds locks.
    pub(crate) patience: Patience,
}

impl<'a> Place<'a> {
    /// `None` when nothing of the file is changed.
    pub(crate) fn new(
        mapping: &'a Mapping,
        range: Option<PageRange>,
        patience: Patience,
    ) -> Option<Self> {
        range.map(|range| Self {
            mapping,
            range,
            only_pins: false,
            patience,
        })
    }

    /// Where only pins are in the way, for a caller that holds locks.
    pub(crate) fn beyond_leases(mapping: &'a Mapping, range: Option<PageRange>) -> Option<Self> {
        Self::locked(mapping, range).map(|place| Self {
            only_pins: true,
            ..place
        })
    }

    /// For a caller that holds locks.
    pub(crate) fn locked(mapping: &'a Mapping, range: Option<PageRange>) -> Option<Self> {
        Self::new(mapping, range, Patience::HoldsLocks)
    }
}

/// Nanoseconds between looks whether others have unpinned, at first and at last.
const OTHERS_MIN: u64 = 2 * MILLISECOND;
const OTHERS_MAX: u64 = 100 * MILLISECOND;

/// A breaker that is registered. Dropping says that it is done, or gave up.
pub(crate) struct Registered {
    file: Arc<LeasedFile>,
    breaker: Arc<Breaker>,
    pinners: Pinners,
    /// Whether it has to wait; holders were told of it.
    waits: bool,
    /// Until when.
    until: Option<u64>,
    interrupted: AtomicBool,
    _endless: Endless,
    _waiting: Option<Waiting>,
}

impl Registered {
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Whether it is for this place.
    pub(crate) fn covers(&self, place: &Place<'_>) -> bool {
        self.file.key() == place.mapping.key() && self.breaker.range.contains(&place.range)
    }

    /// Waits until nothing is in its way. May sleep long.
    ///
    /// Errors: `EBUSY` it takes too long; `ERESTARTSYS`, in a worker of io_uring `EINTR`.
    pub(crate) fn wait(&self) -> Result {
        let waited = self.wait_until_free();
        let outcome = match waited {
            Ok(()) => Some(self.breaker.freed()),
            Err(error) => Outcome::of_error(error),
        };
        if waited.is_ok() {
            latency::BREAK.note_since(self.breaker.began);
        }
        if let Some(outcome) = outcome {
            ended(&self.file, &self.breaker, outcome);
        }
        waited
    }

    fn wait_until_free(&self) -> Result {
        let mut pause = OTHERS_MIN;
        loop {
            let free = || self.file.arbiter.lock().lets_pass(&self.breaker);
            self.wait_for(self.until, free)?;
            // All that is pinned there now is from before; folios at its ends may have been added.
            if self.file.others_are_gone(self.breaker.range, &self.pinners) {
                let mut arbiter = self.file.arbiter.lock();
                arbiter.others_are_gone(&self.breaker);
                if arbiter.lets_pass(&self.breaker) {
                    return Ok(());
                }
                continue;
            }
            // Nobody says when others unpin.
            let now = clock::now();
            let soon = now + pause;
            match self.until {
                Some(until) if until <= now => return Err(EBUSY),
                Some(until) if until < soon => self.pause(until)?,
                _ => self.pause(soon)?,
            }
            pause = (2 * pause).min(OTHERS_MAX);
        }
    }

    fn pause(&self, until: u64) -> Result {
        match self.wait_for(Some(until), || false) {
            Err(EBUSY) => Ok(()),
            result => result,
        }
    }

    fn wait_for(&self, until: Option<u64>, done: impl FnMut() -> bool) -> Result {
        match self.file.changed.wait(until, done) {
            Ok(()) => Ok(()),
            Err(Ended::TimedOut) => Err(EBUSY),
            Err(Ended::Interrupted) if task::is_io_worker() => Err(EINTR),
            Err(Ended::Interrupted) => {
                self.interrupted.store(true, Ordering::Relaxed);
                Err(ERESTARTSYS)
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut arbiter = self.file.arbiter.lock();
        let registered = arbiter.leave(&self.breaker, self.waits);
        let interrupted = self.interrupted.load(Ordering::Relaxed);
        let before = interrupted.then(|| arbiter.interrupt(self.breaker.clone()));
        let unused = arbiter.is_unused();
        drop(arbiter);
        drop((registered, before));
        if unused {
            tick::look_soon();
        }
    }
}

/// The way is free for an operation as long as this lives.
pub(crate) struct Passage {
    registered: KVec<(usize, Registered)>,
    /// For files that were not leased.
    _section: Section,
}

impl Passage {
    /// The operation will end after its call has returned.
    pub(crate) fn ends_later(&self) {
        for (_, breaker) in &self.registered {
            let range = breaker.breaker.range;
            breaker.file.arbiter.lock().ends_later(range);
        }
    }
}

/// The way for an operation on `places` whose caller holds no more than freeze protection, which
/// the breaker gives back while it waits. May sleep long.
///
/// Errors: `ETXTBSY`, `EDEADLK`, `EAGAIN`, `EBUSY`, `ERESTARTSYS` (in a worker of io_uring
/// `EINTR`), `ENOMEM`.
pub(crate) fn pass(
    places: &[Option<Place<'_>>],
    operation: Operation,
    level: Level<'_>,
) -> Result<Passage> {
    let mut registered = KVec::<(usize, Registered)>::new();
    'again: loop {
        let section = Section::enter();
        for (index, place) in places.iter().enumerate() {
            let Some(place) = place else {
                continue;
            };
            if registered.iter().any(|&(known, _)| known == index) {
                continue;
            }
            let Some(breaker) = meet(place, operation, place.patience)? else {
                continue;
            };
            if breaker.waits() {
                drop(section);
                level.without(|| breaker.wait())?;
                registered.push((index, breaker), GFP_KERNEL)?;
                // What was not leased before may be now.
                continue 'again;
            }
            registered.push((index, breaker), GFP_KERNEL)?;
        }
        return Ok(Passage {
            registered,
            _section: section,
        });
    }
}

/// The way for an operation whose caller holds locks. If a system call is under way that can be
/// begun anew, that waits, after this failed.
///
/// Errors: `ETXTBSY`, `EDEADLK`, `EAGAIN`, `ENOMEM`.
pub(crate) fn pass_or_retry(place: &Place<'_>, operation: Operation) -> Result<Passage> {
    let section = Section::enter();
    let mut registered = KVec::new();
    match retry::current() {
        Some(attempt) if attempt.passes(place) => (),
        Some(attempt) => {
            if let Some(breaker) = meet(place, operation, attempt.patience())? {
                attempt.keep(breaker)?;
            }
        }
        None => {
            if let Some(breaker) = meet(place, operation, Patience::HoldsLocks)? {
                registered.push((0, breaker), GFP_KERNEL)?;
            }
        }
    }
    Ok(Passage {
        registered,
        _section: section,
    })
}

/// The way for an operation that never waits. Errors: `ETXTBSY`, `ENOMEM`.
pub(crate) fn pass_or_refuse(place: &Place<'_>, operation: Operation) -> Result<Passage> {
    let section = Section::enter();
    let mut registered = KVec::new();
    if let Some(breaker) = meet(place, operation, Patience::HoldsLocks)? {
        registered.push((0, breaker), GFP_KERNEL)?;
    }
    Ok(Passage {
        registered,
        _section: section,
    })
}

/// Whether it depends on what others have pinned: not when nothing is granted there, nor when
/// somebody who may not disturb holders is refused anyway.
fn depends_on_others(arbiter: &Arbiter, place: &Place<'_>, patience: Patience) -> bool {
    let refused =
        !patience.may_disturb() && !place.only_pins && arbiter.has_valid_grant(place.range);
    !refused && arbiter.has_grants_near(place.range)
}

/// Registers the current task as a breaker; `None` when the file is not leased. May sleep.
///
/// Errors: those of [`Arbiter::meet`](crate::arbiter::Arbiter::meet), `EDEADLK` where a circle of
/// endless waits would close, `ENOMEM`.
fn meet(place: &Place<'_>, operation: Operation, patience: Patience) -> Result<Option<Registered>> {
    let Some(file) = registry::find(place.mapping.key()) else {
        return Ok(None);
    };
    let began = file.arbiter.lock().resumes(operation, place.range);
    loop {
        if let Some(registered) = try_to_meet(&file, place, operation, patience, began)? {
            return Ok(Some(registered));
        }
    }
}

/// As [`meet`]; `None` when a lease with a grant came just now.
fn try_to_meet(
    file: &Arc<LeasedFile>,
    place: &Place<'_>,
    operation: Operation,
    patience: Patience,
    began: Option<u64>,
) -> Result<Option<Registered>> {
    let range = place.range;
    let depends = depends_on_others(&file.arbiter.lock(), place, patience);
    // Until the breaker is registered nothing new comes in its way.
    let looking = depends.then(|| Looking::at(file, range)).transpose()?;
    let pinners = Pinners::new();
    let others = match &looking {
        Some(_) => file.look_for_others(range, &pinners),
        None => Others::none(range),
    };
    let breaker = Breaker::current(operation, range, place.only_pins, others, began)?;
    let (patience, waiting) = waiting::admit(patience);
    let room = Room::new()?;
    let mut endless = Endless::new();
    let mut arbiter = file.arbiter.lock();
    if looking.is_none() && depends_on_others(&arbiter, place, patience) {
        return Ok(None);
    }
    let breaker = breaker.numbered();
    let met = arbiter.meet(&breaker, room, patience, |holder| {
        endless.wait_for(&breaker.process, &holder.process)
    });
    let deadline = arbiter.take_brought_deadline();
    drop(arbiter);
    drop(looking);
    if let Some(deadline) = deadline {
        expiry::look_at(deadline);
    }
    let met = met.inspect_err(|&error| {
        // Who only asks will come in earnest.
        let outcome = Outcome::of_error(error).filter(|_| patience != Patience::Probes);
        if let Some(outcome) = outcome {
            ended(file, &breaker, outcome);
        }
    });
    let (waits, until) = match met? {
        Meeting::Passes => (false, None),
        Meeting::Waits { deadline, bound } => {
            let maximum = parameters::grace_max_ms();
            let until = grace::patience(breaker.began, deadline, bound, maximum);
            (true, until)
        }
    };
    Ok(Some(Registered {
        file: file.clone(),
        breaker,
        pinners,
        waits,
        until,
        interrupted: AtomicBool::new(false),
        _endless: endless,
        _waiting: waiting.filter(|_| waits),
    }))
}

/// Counts and traces the end of a break.
fn ended(file: &LeasedFile, breaker: &Breaker, outcome: Outcome) {
    outcome.count();
    let waited = clock::now().saturating_sub(breaker.began);
    trace::break_done(file.inode(), breaker, outcome, waited);
}
