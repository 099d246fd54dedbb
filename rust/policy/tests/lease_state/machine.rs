// SPDX-License-Identifier: GPL-2.0

//! What the model runs: the state of a lease, or a wrong copy of it.

use pinlease_policy::lease_state::{Action, LeaseState, Patience, Phase, Policy, Verdict};
use pinlease_policy::range::PageRange;
use std::{fmt::Debug, hash::Hash};

/// The methods of [`LeaseState`]. A wrong copy overrides those that are wrong.
pub trait Machine: Copy + Eq + Hash + Debug {
    fn right(&self) -> &LeaseState;
    fn right_mut(&mut self) -> &mut LeaseState;

    fn policy(&self) -> Policy {
        self.right().policy()
    }

    fn phase(&self) -> Phase {
        self.right().phase()
    }

    fn is_valid(&self) -> bool {
        self.right().is_valid()
    }

    fn meets(&self, pinned: bool, own: bool, patience: Patience) -> Verdict {
        self.right().meets(pinned, own, patience)
    }

    fn break_begins(&mut self, deadline: u64, patience: Patience, range: PageRange) {
        self.right_mut().break_begins(deadline, patience, range);
    }

    fn lets_pass(&self, breaker: u64, pinned: bool) -> bool {
        self.right().lets_pass(breaker, pinned)
    }

    fn answer(&mut self, sequence: u64) {
        self.right_mut().answer(sequence);
    }

    fn answer_standing(&mut self, range: &PageRange, pinned: impl Fn(&PageRange) -> bool) {
        self.right_mut().answer_standing(range, pinned);
    }

    fn shrink(&mut self, range: &PageRange, pinned: impl Fn(&PageRange) -> bool) {
        self.right_mut().shrink(range, pinned);
    }

    fn pinned(&mut self, sequence: u64) {
        self.right_mut().pinned(sequence);
    }

    fn settle(&mut self, unanswered: Option<u64>) -> bool {
        self.right_mut().settle(unanswered)
    }

    fn expire(&mut self, now: u64) -> Option<Action> {
        self.right_mut().expire(now)
    }

    fn close(&mut self) {
        self.right_mut().close();
    }
}

impl Machine for LeaseState {
    fn right(&self) -> &LeaseState {
        self
    }

    fn right_mut(&mut self) -> &mut LeaseState {
        self
    }
}
