// SPDX-License-Identifier: GPL-2.0

//! What others may pin, and what they have pinned in somebody's way.

use super::{settle, Arbiter};
use crate::{
    breaker::Breaker,
    grant::Grant,
    lease::Lease,
    policy::{
        coverage::covers,
        lease_state::Phase,
        range::{PageRange, LARGEST_FOLIO},
    },
    sys::{interval_map::Room, process::Process},
    written::Written,
};
use kernel::sync::Arc;

impl Arbiter {
    /// Whether leases with a grant are so near that a folio can reach from there into `range`.
    pub(crate) fn has_grants_near(&self, range: PageRange) -> bool {
        self.grants.overlaps(range.widened(LARGEST_FOLIO))
    }

    pub(crate) fn has_any_grant(&self) -> bool {
        !self.grants.is_empty()
    }

    /// The grant of a lease in `range`.
    pub(crate) fn grant_at(&self, range: PageRange) -> Option<Arc<Grant>> {
        let (_, lease) = self.grants.overlapping(range).next()?;
        lease.grant().cloned()
    }

    /// Who remembers what was written of pages of `range`.
    pub(crate) fn written_in(&self, range: PageRange) -> impl Iterator<Item = &Arc<Written>> {
        let pins = self.pins.overlapping(range);
        let pins = pins.filter_map(|(_, record)| record.pin.as_ref()?.written());
        let grants = self.grants.overlapping(range);
        pins.chain(grants.filter_map(|(_, lease)| Some(lease.grant()?.written())))
    }

    /// The lease with a grant in `range` that has the smallest id from `id` on.
    pub(crate) fn next_grant(&self, id: u64, range: PageRange) -> Option<(Arc<Lease>, PageRange)> {
        self.grants
            .starting_at(&id)
            .find(|(_, granted, _)| granted.overlaps(&range))
            .map(|(_, granted, lease)| (lease.clone(), granted))
    }

    /// Whether others may pin `range` for holders that are `ours`: all of it is theirs, nothing is
    /// being broken, and no breaker is so near that a folio can reach from here to there, nor a
    /// direct write that has not ended (`direct_io`: there is some).
    pub(crate) fn may_pin(
        &mut self,
        range: PageRange,
        direct_io: impl Fn() -> bool,
        ours: impl Fn(&Process) -> bool,
    ) -> bool {
        let near = range.widened(LARGEST_FOLIO);
        self.late.take_if(|_| !direct_io());
        if self.is_disputed(near) || self.late.is_some_and(|late| late.overlaps(&near)) {
            return false;
        }
        let held = |lease: &Lease| {
            let lease = self.lease(lease.id);
            lease.is_some_and(|(_, state)| state.phase() == Phase::Held)
        };
        let granted = self.grants.overlapping(range);
        let granted = granted.filter(|(_, lease)| ours(&lease.holder.process) && held(lease));
        covers(range, granted.map(|(range, _)| range))
    }

    /// Others may pin `range`: counts it for the leases there.
    pub(crate) fn count_grant(&self, range: PageRange) {
        for (_, lease) in self.grants.overlapping(range) {
            lease.activity.grants.add(1);
        }
    }

    /// A direct write to `range` may end after its call has returned.
    pub(crate) fn ends_later(&mut self, range: PageRange) {
        // Leases that come later wait for direct I/O.
        if self.leases.overlaps(range.widened(LARGEST_FOLIO)) {
            self.late = Some(self.late.map_or(range, |late| late.joined(&range)));
        }
    }

    /// Whether there were such.
    pub(crate) fn has_late_writes(&self) -> bool {
        self.late.is_some()
    }

    /// Whether a lease with a grant in `range` is in the way there whatever is pinned.
    pub(crate) fn has_valid_grant(&self, range: PageRange) -> bool {
        self.grants.overlapping(range).any(|(_, lease)| {
            let lease = self.lease(lease.id);
            lease.is_some_and(|(_, state)| state.is_valid())
        })
    }

    /// Others have unpinned what the breaker needs; leases of which it needed only that have answered.
    pub(crate) fn others_are_gone(&mut self, breaker: &Breaker) {
        let Self {
            leases,
            pins,
            breakers,
            ..
        } = self;
        breaker.note_others_are_gone();
        for (range, leased) in leases.overlapping_mut(breaker.others.reach) {
            if leased.lease.grant().is_some() {
                settle(breakers, pins, range, leased);
            }
        }
    }

    /// Somebody looks what others have pinned in `range`.
    pub(crate) fn looks(&mut self, key: u64, range: PageRange, room: Room<u64, ()>) {
        self.looks.insert(room, key, range, ());
    }

    /// Undoes [`looks`](Self::looks).
    pub(crate) fn looked(&mut self, key: u64) {
        self.looks.remove(&key);
    }
}
