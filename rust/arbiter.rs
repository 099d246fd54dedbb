// SPDX-License-Identifier: GPL-2.0

//! Who yields to whom on one file: its leases, its pins, and the breakers that wait for them or
//! run.
//!
//! Everything here happens under one spinlock, that of the leased file; what a single lease means
//! for a breaker is [`LeaseState`]'s to say.

mod failures;
mod grants;
mod snapshots;

use crate::{
    breaker::{next_in_sequence, Breaker, Operation},
    event::{About, Event},
    failure::Failure,
    holder::Holder,
    lease::Lease,
    pin::HeldPin,
    policy::{
        grace::MILLISECOND,
        lease_state::{LeaseState, Patience, Phase, Policy, Verdict},
        range::PageRange,
    },
    sys::{
        clock,
        interval_map::{IntervalMap, Room},
        task,
    },
    trace, watch,
};
use kernel::{prelude::*, sync::Arc};

/// What names a pin: its lease, and itself.
pub(crate) type PinKey = (u64, u64);

/// The arbiter of a file.
pub(crate) struct Arbiter {
    /// Leases on their ranges.
    leases: IntervalMap<u64, Leased>,
    /// Pins, on all pages of the folios that they are in: those go together. They stay until the
    /// pages are unpinned.
    pins: IntervalMap<PinKey, PinRecord>,
    /// Breakers that wait or run, on theirs: nothing new may come there.
    breakers: IntervalMap<u64, Arc<Breaker>>,
    /// Leases with a grant, on their ranges.
    grants: IntervalMap<u64, Arc<Lease>>,
    /// Ranges in which somebody looks what others have pinned: nothing new may come there, too.
    looks: IntervalMap<u64, ()>,
    /// All of the direct writes that may end after their calls have returned.
    late: Option<PageRange>,
    /// The earliest deadline of those that breakers brought, of which expiry does not know yet.
    brought: Option<u64>,
    /// Leases that are about to be added.
    coming: usize,
    /// Whether a lease has a failure of which nobody was told.
    failed: bool,
    /// The breaker that a signal interrupted last, and when that was.
    interrupted: Option<(Arc<Breaker>, u64)>,
}

/// Nanoseconds in which a call that was interrupted is begun anew.
const RESTART: u64 = 1000 * MILLISECOND;

/// A pin.
pub(crate) struct PinRecord {
    lease: u64,
    range: PageRange,
    /// Taken out when it ends; whoever has a copy keeps the pages pinned.
    pin: Option<Arc<HeldPin>>,
}

impl PinRecord {
    fn new(pin: Arc<HeldPin>) -> Self {
        Self {
            lease: pin.lease,
            range: pin.range(),
            pin: Some(pin),
        }
    }
}

/// A lease and where it is in its life.
pub(crate) struct Leased {
    pub(crate) lease: Arc<Lease>,
    pub(crate) state: LeaseState,
    /// The breaker that its holder was asked to answer last.
    told: Option<Arc<Breaker>>,
    /// The breaker that met it last.
    met: u64,
    /// What could not be saved, of which nobody was told.
    failure: Option<Failure>,
}

impl Leased {
    fn new(lease: Arc<Lease>) -> Self {
        Self {
            state: LeaseState::new(lease.policy),
            lease,
            told: None,
            met: 0,
            failure: None,
        }
    }

    fn about(&self, range: PageRange) -> About {
        About {
            lease: self.lease.id,
            policy: uapi_policy(self.lease.policy),
            range,
        }
    }

    /// Tells the holder, and who watches.
    fn tell(&self, event: Event) {
        watch::tell(&self.lease.holder, &event);
        self.lease.events.push(event);
    }

    /// When the grace is over that it gives to `breaker`.
    fn deadline_for(&self, breaker: &Breaker) -> u64 {
        breaker
            .began
            .saturating_add(u64::from(self.lease.grace_ms) * MILLISECOND)
    }

    fn is_own(&self, breaker: &Breaker) -> bool {
        self.lease.holder.process.key() == breaker.process.key()
    }
}

/// What a breaker has to do.
pub(crate) enum Meeting {
    /// It may run; it is registered.
    Passes,
    /// It has to wait; it is registered.
    Waits {
        /// When the longest grace is over; `None` when a policy is to block.
        deadline: Option<u64>,
        /// Whether somebody makes it wait who may not do so for long.
        bound: bool,
    },
}

impl Arbiter {
    pub(crate) fn new() -> Self {
        Self {
            leases: IntervalMap::new(),
            pins: IntervalMap::new(),
            breakers: IntervalMap::new(),
            grants: IntervalMap::new(),
            looks: IntervalMap::new(),
            late: None,
            brought: None,
            coming: 0,
            failed: false,
            interrupted: None,
        }
    }

    /// Whether nothing is registered.
    pub(crate) fn is_unused(&self) -> bool {
        self.leases.is_empty()
            && self.breakers.is_empty()
            && self.pins.is_empty()
            && self.coming == 0
    }

    // Leases.

    /// A lease is about to be added; until then the file stays known.
    pub(crate) fn announce(&mut self) {
        self.coming += 1;
    }

    /// Undoes [`announce`](Self::announce).
    pub(crate) fn arrived(&mut self) {
        self.coming -= 1;
    }

    /// Errors: `EAGAIN` when a breaker waits or runs in the range.
    pub(crate) fn add_lease(
        &mut self,
        range: PageRange,
        lease: Arc<Lease>,
        room: Room<u64, Leased>,
        room_for_grant: Option<Room<u64, Arc<Lease>>>,
    ) -> Result {
        if self.is_disputed(range) {
            return Err(EAGAIN);
        }
        if let Some(room) = room_for_grant {
            self.grants.insert(room, lease.id, range, lease.clone());
        }
        let leased = Leased::new(lease);
        // Before anything else that it tells.
        let event = Event::acquired(leased.about(range));
        watch::tell(&leased.lease.holder, &event);
        self.leases.insert(room, leased.lease.id, range, leased);
        Ok(())
    }

    pub(crate) fn remove_lease(&mut self, id: u64) -> Option<Leased> {
        // The caller has another reference.
        self.grants.remove(&id);
        self.leases.remove(&id)
    }

    /// Whether a breaker waits or runs in `range`, or somebody looks.
    fn is_disputed(&self, range: PageRange) -> bool {
        self.breakers.overlaps(range) || self.looks.overlaps(range)
    }

    /// Its range and its state.
    pub(crate) fn lease(&self, id: u64) -> Option<(PageRange, LeaseState)> {
        let (range, leased) = self.leases.get(&id)?;
        Some((range, leased.state))
    }

    /// The holder closed it.
    pub(crate) fn close_lease(&mut self, id: u64) {
        if let Some((_, leased)) = self.leases.get_mut(&id) {
            leased.state.close();
        }
    }

    /// Gives back what is outside of `range`.
    ///
    /// Errors: `ENODEV` it is withdrawn, `ENXIO` it does not have that, `EBUSY` pins do.
    pub(crate) fn shrink_lease(&mut self, id: u64, range: PageRange) -> Result {
        let (before, state) = self.lease(id).ok_or(ENODEV)?;
        if !state.is_valid() {
            return Err(ENODEV);
        }
        if !before.contains(&range) {
            return Err(ENXIO);
        }
        if pins_of(&self.pins, id).any(|pin| !range.contains(&pin.range)) {
            return Err(EBUSY);
        }
        self.leases.set_range(&id, range);
        self.grants.set_range(&id, range);
        let Self { leases, pins, .. } = self;
        if let Some((_, leased)) = leases.get_mut(&id) {
            leased
                .state
                .shrink(&range, |wanted| pinned(pins, id, *wanted));
        }
        self.settle(id);
        Ok(())
    }

    // Pins.

    /// Errors: `ENODEV` the lease is withdrawn, `ENXIO` it was shrunk, `EAGAIN` a breaker waits or
    /// runs there.
    pub(crate) fn add_pin(&mut self, pin: Arc<HeldPin>, room: Room<PinKey, PinRecord>) -> Result {
        let (key, range, footprint) = ((pin.lease, pin.id), pin.range(), pin.footprint());
        let disputed = self.is_disputed(footprint) || self.is_disputed(range);
        let (leased_range, leased) = self.leases.get_mut(&pin.lease).ok_or(ENODEV)?;
        if !leased.state.is_valid() {
            return Err(ENODEV);
        }
        if !leased_range.contains(&range) {
            return Err(ENXIO);
        }
        if disputed {
            return Err(EAGAIN);
        }
        leased.state.pinned(next_in_sequence());
        self.pins.insert(room, key, footprint, PinRecord::new(pin));
        Ok(())
    }

    pub(crate) fn pin(&self, key: PinKey) -> Option<Arc<HeldPin>> {
        self.pins.get(&key)?.1.pin.clone()
    }

    /// The pin with the smallest key from `key` on.
    pub(crate) fn next_pin(&self, key: PinKey) -> Option<Arc<HeldPin>> {
        self.pins
            .starting_at(&key)
            .find_map(|(_, _, record)| record.pin.clone())
    }

    /// Takes a pin out; the pages are unpinned when the last user of the result drops it.
    pub(crate) fn take_pin(&mut self, key: PinKey) -> Option<Arc<HeldPin>> {
        self.pins.get_mut(&key)?.1.pin.take()
    }

    /// The pages of a pin are unpinned, which may answer breakers. False when it was never here.
    pub(crate) fn unpinned(&mut self, key: PinKey, footprint: PageRange) -> bool {
        if self.pins.remove(&key).is_none() {
            return false;
        }
        let (lease, _) = key;
        let wanted = self.breakers.overlaps(footprint);
        let Self { leases, pins, .. } = self;
        if let Some((_, leased)) = leases.get_mut(&lease) {
            // Else others may have been granted to pin just there.
            if leased.lease.grant().is_none() {
                if wanted {
                    leased.state.answer(next_in_sequence());
                }
                leased
                    .state
                    .answer_standing(&footprint, |range| pinned(pins, lease, *range));
            }
        }
        self.settle(lease);
        true
    }

    // Breakers.

    /// A breaker comes, whose number was drawn under this lock. Unless it fails, it is registered;
    /// `may_block` is asked whether the breaker may wait for that holder without end.
    ///
    /// Errors: `ETXTBSY` a policy refuses, or it has to wait and cannot; `EDEADLK` it would wait for
    /// itself; `EAGAIN` it does not wait, or only probes; what `may_block` says.
    pub(crate) fn meet(
        &mut self,
        breaker: &Arc<Breaker>,
        room: Room<u64, Arc<Breaker>>,
        patience: Patience,
        mut may_block: impl FnMut(&Holder) -> Result,
    ) -> Result<Meeting> {
        let (mut refused, mut deadlock) = (false, false);
        let mut blocked = Ok(());
        // Pins of a lease that is gone are about to go, too.
        // So may those of others, or it is not known.
        let mut broken = self.has_orphans(breaker.range) || breaker.others_pin();
        refused |= broken && patience == Patience::HoldsLocks;
        each_met(
            &mut self.leases,
            &self.pins,
            breaker,
            |_, pinned, leased| match leased.state.meets(pinned, leased.is_own(breaker), patience) {
                Verdict::Pass => (),
                Verdict::Break => {
                    broken = true;
                    // Of one that is closed only pins are left: nobody waits for them without end.
                    let endless = leased.state.policy() == Policy::Block && leased.state.is_valid();
                    if patience == Patience::Waits && endless {
                        blocked = blocked.and_then(|()| may_block(&leased.lease.holder));
                    }
                }
                Verdict::Refuse => refused = true,
                Verdict::Deadlock => deadlock = true,
            },
        );
        match patience {
            Patience::Probes if refused || deadlock || broken => return Err(EAGAIN),
            Patience::OnlyReads if refused || deadlock || broken => return Err(ETXTBSY),
            _ => (),
        }
        if refused {
            self.refuse(breaker, patience);
            return Err(ETXTBSY);
        }
        if deadlock {
            return Err(EDEADLK);
        }
        blocked?;
        if !broken {
            self.register(breaker, room);
            return Ok(Meeting::Passes);
        }
        let (mut last, mut endless, mut bound) = (0, false, false);
        let brought = &mut self.brought;
        each_met(
            &mut self.leases,
            &self.pins,
            breaker,
            |range, pinned, leased| {
                if leased.state.meets(pinned, leased.is_own(breaker), patience) != Verdict::Break {
                    return;
                }
                let breaks = matches!(leased.state.phase(), Phase::Breaking { .. });
                let grace_ends = leased.deadline_for(breaker);
                leased
                    .state
                    .break_begins(grace_ends, patience, breaker.range);
                let deadline = leased.state.deadline();
                *brought = [*brought, deadline].into_iter().flatten().min();
                if deadline.is_some() {
                    last = last.max(grace_ends);
                } else if leased.state.is_valid() {
                    endless = true;
                    let holder = &leased.lease.holder;
                    bound |= !holder.privileged && holder.user != breaker.user;
                }
                // Who comes back and must go again was told of before.
                let known = breaks
                    && patience == Patience::ComesBack
                    && leased
                        .told
                        .as_ref()
                        .is_some_and(|told| told.is_like(breaker));
                if leased.state.is_valid() && leased.met != breaker.id && !known {
                    leased.met = breaker.id;
                    leased.told = Some(breaker.clone());
                    leased.lease.activity.breaks.add(1);
                    trace::lease_break(&leased.lease, breaker);
                    let event = Event::breaks(leased.about(range), breaker.clone(), deadline);
                    leased.tell(event);
                }
            },
        );
        if patience == Patience::ComesBack {
            return Err(EAGAIN);
        }
        self.register(breaker, room);
        Ok(Meeting::Waits {
            deadline: (!endless).then_some(last),
            bound,
        })
    }

    fn register(&mut self, breaker: &Arc<Breaker>, room: Room<u64, Arc<Breaker>>) {
        self.breakers
            .insert(room, breaker.id, breaker.range, breaker.clone());
    }

    /// Tells the holders who refuse, or whom the breaker cannot wait for.
    fn refuse(&mut self, breaker: &Arc<Breaker>, patience: Patience) {
        each_met(
            &mut self.leases,
            &self.pins,
            breaker,
            |range, pinned, leased| {
                let verdict = leased.state.meets(pinned, leased.is_own(breaker), patience);
                if verdict == Verdict::Refuse && leased.met != breaker.id {
                    leased.met = breaker.id;
                    leased.lease.activity.breaks.add(1);
                    trace::lease_refuse(&leased.lease, breaker);
                    leased.tell(Event::refused(leased.about(range), breaker.clone()));
                }
            },
        );
    }

    /// Whether a page is still pinned there under a lease that ended.
    fn has_orphans(&self, range: PageRange) -> bool {
        self.pins
            .overlapping(range)
            .any(|(_, pin)| self.leases.get(&pin.lease).is_none())
    }

    /// Whether nothing is in the breaker's way any more.
    pub(crate) fn lets_pass(&self, breaker: &Breaker) -> bool {
        let mut leases = self.leases.overlapping(breaker.range);
        !self.pins.overlaps(breaker.range)
            && (breaker.only_pins
                || leases.all(|(_, leased)| leased.state.lets_pass(breaker.id, false)))
    }

    /// The breaker is done, or gave up; `asked`: holders were told of it.
    pub(crate) fn leave(&mut self, breaker: &Arc<Breaker>, asked: bool) -> Option<Arc<Breaker>> {
        let Self {
            leases,
            pins,
            breakers,
            ..
        } = self;
        let registered = breakers.remove(&breaker.id);
        if !asked {
            return registered;
        }
        each_met(leases, pins, breaker, |range, _, leased| {
            settle(breakers, pins, range, leased);
            // Who was asked by another one since, may have been by this one before.
            let was_told = leased
                .told
                .as_ref()
                .is_some_and(|told| told.id >= breaker.id);
            if was_told && leased.state.is_valid() {
                leased.tell(Event::over(leased.about(range), breaker.clone()));
            }
            leased.told.take_if(|told| told.id == breaker.id);
        });
        registered
    }

    /// A signal interrupted the breaker; its call may be begun anew.
    pub(crate) fn interrupt(&mut self, breaker: Arc<Breaker>) -> Option<(Arc<Breaker>, u64)> {
        self.interrupted.replace((breaker, clock::now()))
    }

    /// When the current task first came with this operation, if it was interrupted: else a timer
    /// that ticks faster than the grace would make it wait without end.
    pub(crate) fn resumes(&mut self, operation: Operation, range: PageRange) -> Option<u64> {
        // Once only: what it does after that is another break.
        let (breaker, _) = self.interrupted.take_if(|(breaker, left)| {
            breaker.task == task::key()
                && breaker.operation == operation
                && breaker.range == range
                && clock::now() < *left + RESTART
        })?;
        Some(breaker.began)
    }

    /// Looks whether a break of the lease is over.
    fn settle(&mut self, lease: u64) {
        let Self {
            leases,
            pins,
            breakers,
            ..
        } = self;
        if let Some((range, leased)) = leases.get_mut(&lease) {
            settle(breakers, pins, range, leased);
        }
    }

    // Deadlines.

    /// Withdraws a lease whose grace is over at `now`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<Arc<Lease>> {
        let Self {
            leases,
            pins,
            breakers,
            ..
        } = self;
        for (range, leased) in leases.iter_mut() {
            let due = leased.state.deadline().is_some_and(|due| due <= now);
            if !due {
                continue;
            }
            let mut first = None;
            for (_, breaker) in breakers.iter() {
                if waits_for(breaker, pins, range, leased) {
                    breaker.note_action(leased.state.policy());
                    first.get_or_insert_with(|| breaker.clone());
                }
            }
            if leased.state.expire(now).is_some() {
                trace::lease_withdraw(&leased.lease, range);
                let breaker = first.or_else(|| leased.told.clone());
                leased.tell(Event::withdrawn(leased.about(range), breaker));
                return Some(leased.lease.clone());
            }
        }
        None
    }

    /// When the first policy acts because of the breakers that came since the last call: what expiry
    /// has to be told. A break that goes on when another one is over ends later: expiry sees that
    /// when it looks for the other one.
    pub(crate) fn take_brought_deadline(&mut self) -> Option<u64> {
        self.brought.take()
    }

    /// When the next policy acts. Looks at all leases.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.leases
            .iter()
            .filter_map(|(_, leased)| leased.state.deadline())
            .min()
    }
}

/// Calls `visit` with each lease that a breaker meets, and whether its pins are in the way; with the
/// same one several times if several of its pins alone are.
fn each_met(
    leases: &mut IntervalMap<u64, Leased>,
    pins: &IntervalMap<PinKey, PinRecord>,
    breaker: &Breaker,
    mut visit: impl FnMut(PageRange, bool, &mut Leased),
) {
    for (leased_range, leased) in leases.overlapping_mut(breaker.reach()) {
        let by_others = breaker.others_pin() && leased.lease.grant().is_some();
        let pinned = by_others || pinned(pins, leased.lease.id, breaker.range);
        let met = pinned || !breaker.only_pins;
        if met && (by_others || leased_range.overlaps(&breaker.range)) {
            visit(leased_range, pinned, leased);
        }
    }
    // Those of which only a pinned folio reaches into the range.
    for (_, pin) in pins.overlapping(breaker.range) {
        match leases.get_mut(&pin.lease) {
            Some((leased_range, leased)) if !leased_range.overlaps(&breaker.range) => {
                visit(leased_range, true, leased);
            }
            _ => (),
        }
    }
}

/// The pins of a lease.
fn pins_of(pins: &IntervalMap<PinKey, PinRecord>, lease: u64) -> impl Iterator<Item = &PinRecord> {
    pins.starting_at(&(lease, 0))
        .take_while(move |&((of, _), _, _)| of == lease)
        .map(|(_, _, pin)| pin)
}

/// Whether a pin of `lease` is in the way of an operation on `range`.
fn pinned(pins: &IntervalMap<PinKey, PinRecord>, lease: u64, range: PageRange) -> bool {
    pins.overlapping(range).any(|(_, pin)| pin.lease == lease)
}

/// The first breaker of those that wait and that the lease does not let pass.
///
/// The first to come: its grace ends first, but for one that was interrupted and began anew, which
/// may then have to wait for the other's.
fn unanswered<'a>(
    breakers: &'a IntervalMap<u64, Arc<Breaker>>,
    pins: &IntervalMap<PinKey, PinRecord>,
    range: PageRange,
    leased: &Leased,
) -> Option<&'a Arc<Breaker>> {
    let waits = |breaker: &&Arc<Breaker>| waits_for(breaker, pins, range, leased);
    breakers.iter().map(|(_, breaker)| breaker).find(waits)
}

/// Whether a breaker waits that the lease does not let pass.
fn waits_for(
    breaker: &Breaker,
    pins: &IntervalMap<PinKey, PinRecord>,
    range: PageRange,
    leased: &Leased,
) -> bool {
    let overlaps = !breaker.only_pins && range.overlaps(&reach(&leased.lease, breaker));
    (overlaps && !leased.state.lets_pass(breaker.id, false))
        || pinned(pins, leased.lease.id, breaker.range)
}

/// What a breaker needs of a lease.
fn reach(lease: &Lease, breaker: &Breaker) -> PageRange {
    match lease.grant() {
        Some(_) => breaker.reach(),
        None => breaker.range,
    }
}

/// Looks whether a break of the lease is over.
fn settle(
    breakers: &IntervalMap<u64, Arc<Breaker>>,
    pins: &IntervalMap<PinKey, PinRecord>,
    range: PageRange,
    leased: &mut Leased,
) {
    let first = unanswered(breakers, pins, range, leased);
    let deadline = first.map(|breaker| leased.deadline_for(breaker));
    if leased.state.settle(deadline) {
        trace::lease_answer(&leased.lease, range);
    }
    // Whose way it left by shrinking or unpinning does not meet it when it leaves.
    let lease = &leased.lease;
    let left = leased.told.take_if(|told| {
        let met = range.overlaps(&reach(lease, told)) || pinned(pins, lease.id, told.range);
        !met && breakers.get(&told.id).is_some()
    });
    if let Some(breaker) = left.filter(|_| leased.state.is_valid()) {
        leased.tell(Event::over(leased.about(range), breaker));
    }
}

/// The number of a policy in user space.
pub(crate) fn uapi_policy(policy: Policy) -> u32 {
    match policy {
        Policy::Kill => crate::bindings::PINLEASE_POLICY_KILL,
        Policy::Revoke => crate::bindings::PINLEASE_POLICY_REVOKE,
        Policy::Block => crate::bindings::PINLEASE_POLICY_BLOCK,
        Policy::Refuse => crate::bindings::PINLEASE_POLICY_REFUSE,
    }
}
