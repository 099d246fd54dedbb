// SPDX-License-Identifier: GPL-2.0

//! One lease: who yields to whom, and when.
//!
//! ```text
//!            break_begins                    expire
//!   Held ───────────────────▶ Breaking ───────────────────▶ Withdrawn
//!    ▲                           │                              │
//!    └───────────────────────────┘                              │
//!      settle: all answered, or the breakers left               │
//!    │                           │                              │
//!    └────── close ──────────────┴─────────▶ Draining ◀─────────┘
//! ```
//!
//! Time is in nanoseconds of a clock that the caller chooses. Every breaker that is registered gets
//! the next number of a sequence; "the sequence" below is the number that the next one will get.

use super::range::PageRange;

/// Who yields when a breaker meets a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Policy {
    /// The holder is killed when the grace is over.
    Kill,
    /// Its pins are taken away when the grace is over.
    Revoke,
    /// The breaker waits.
    Block,
    /// The breaker is refused at once.
    Refuse,
}

/// What a policy does when the grace is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Kill the holder.
    Kill,
    /// Take its pins away.
    Revoke,
}

impl Policy {
    /// As user space writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Revoke => "revoke",
            Self::Block => "block",
            Self::Refuse => "refuse",
        }
    }

    fn action(self) -> Option<Action> {
        match self {
            Self::Kill => Some(Action::Kill),
            Self::Revoke => Some(Action::Revoke),
            Self::Block | Self::Refuse => None,
        }
    }
}

/// Where a lease is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Phase {
    /// No breaker waits for it.
    Held,
    /// A breaker waits for it, or told it that it would come back.
    Breaking {
        /// When the policy acts; `None`: never, it waits.
        deadline: Option<u64>,
    },
    /// The policy acted: it gives no right any more.
    Withdrawn,
    /// Its holder closed it; only its pins still count.
    Draining,
}

impl Phase {
    /// As user space writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Breaking { .. } => "breaking",
            Self::Withdrawn => "withdrawn",
            Self::Draining => "draining",
        }
    }
}

/// What a breaker can do about a lease in its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// It may sleep: it holds nothing.
    Waits,
    /// It wants to know at once, and may come back (`O_NONBLOCK`).
    ComesBack,
    /// It wants to know at once, and nobody shall learn of it: it will come back and ask in earnest
    /// (io_uring).
    Probes,
    /// It may read the file and not write it, and so may not disturb who holds leases.
    OnlyReads,
    /// It holds locks that others need.
    HoldsLocks,
}

impl Patience {
    /// Whether holders may notice it.
    pub fn may_disturb(self) -> bool {
        matches!(self, Self::Waits | Self::ComesBack)
    }
}

/// What a lease means for a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// The breaker has to wait, or to come back.
    Break,
    /// The breaker is refused: the policy wants it, or it cannot wait.
    Refuse,
    /// The breaker would wait for its own process.
    Deadlock,
}

/// A break whose breaker did not wait. It stands until it is answered or the policy acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
struct Standing {
    /// What the breaker wants.
    range: PageRange,
    deadline: u64,
}

/// The state of one lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct LeaseState {
    policy: Policy,
    phase: Phase,
    /// The first break that stands. Those after it count when their breakers come back.
    standing: Option<Standing>,
    /// It answered a standing break, and has not pinned since.
    yields: bool,
    /// Breakers before this number were answered.
    answered: u64,
}

impl LeaseState {
    /// A lease that was just acquired.
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            phase: Phase::Held,
            standing: None,
            yields: false,
            answered: 0,
        }
    }

    /// The policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether pins may be made and marked.
    pub fn is_valid(&self) -> bool {
        matches!(self.phase, Phase::Held | Phase::Breaking { .. })
    }

    /// What it means for a breaker. `pinned`: one of its pins is in the breaker's range; `own`: the
    /// breaker is of the holder's process.
    pub fn meets(&self, pinned: bool, own: bool, patience: Patience) -> Verdict {
        if !pinned && (!self.is_valid() || self.yields) {
            return Verdict::Pass;
        }
        // Also when it is closed and pins are left: nobody ever waits for this policy.
        if self.policy == Policy::Refuse {
            return Verdict::Refuse;
        }
        match patience {
            Patience::HoldsLocks => Verdict::Refuse,
            _ if own && self.is_valid() => Verdict::Deadlock,
            Patience::OnlyReads => Verdict::Refuse,
            Patience::Waits | Patience::ComesBack | Patience::Probes => Verdict::Break,
        }
    }

    /// A breaker of `range` has to wait or to come back ([`Verdict::Break`]). `deadline`: when the
    /// grace of this break is over; the policy acts then, or before if another break is not answered
    /// whose grace is over before. (Graces need not end in the order in which breaks begin: one that
    /// was interrupted goes on where it was.)
    pub fn break_begins(&mut self, deadline: u64, patience: Patience, range: PageRange) {
        if !self.is_valid() {
            return;
        }
        if patience == Patience::ComesBack {
            self.standing.get_or_insert(Standing { range, deadline });
        }
        self.breaks(deadline.min(self.deadline().unwrap_or(deadline)));
    }

    fn breaks(&mut self, deadline: u64) {
        self.phase = Phase::Breaking {
            deadline: self.policy.action().map(|_| deadline),
        };
    }

    /// Whether the breaker with this number need not wait for it (any more). `pinned`: as for
    /// [`meets`](Self::meets).
    pub fn lets_pass(&self, breaker: u64, pinned: bool) -> bool {
        !pinned && (!self.is_valid() || self.yields || breaker < self.answered)
    }

    /// The holder unpinned something in the range of a breaker that waits. That answers all who
    /// wait, those with a number below `sequence`, where nothing is pinned (any more).
    ///
    /// [`settle`](Self::settle) must follow.
    pub fn answer(&mut self, sequence: u64) {
        self.answered = sequence;
    }

    /// The holder unpinned `range`; `pinned`: whether a pin is left in a range. If that answers the
    /// break that stands, its breaker passes when it comes back, unless the holder pins first.
    ///
    /// [`settle`](Self::settle) must follow.
    pub fn answer_standing(&mut self, range: &PageRange, pinned: impl FnOnce(&PageRange) -> bool) {
        if self
            .standing
            .is_some_and(|standing| standing.range.overlaps(range) && !pinned(&standing.range))
        {
            self.standing = None;
            self.yields = true;
        }
    }

    /// The holder shrank it to `range`; `pinned`: as for [`answer_standing`](Self::answer_standing).
    /// A break that stands is answered if the lease is out of its way.
    ///
    /// [`settle`](Self::settle) must follow.
    pub fn shrink(&mut self, range: &PageRange, pinned: impl FnOnce(&PageRange) -> bool) {
        if self
            .standing
            .is_some_and(|standing| !standing.range.overlaps(range) && !pinned(&standing.range))
        {
            self.standing = None;
        }
    }

    /// The holder pinned anew, which ends what [`answer_standing`](Self::answer_standing) promised;
    /// but not to breakers with a number below `sequence`: they passed, and may still wait for
    /// another lease.
    pub fn pinned(&mut self, sequence: u64) {
        if self.yields {
            self.yields = false;
            self.answered = sequence;
        }
    }

    /// After a breaker left, an answer, or that it was shrunk. `unanswered`: when the grace of the
    /// first break is over whose breaker waits and is not [let pass](Self::lets_pass); `None`: there
    /// is no such breaker. True when the last break is over.
    pub fn settle(&mut self, unanswered: Option<u64>) -> bool {
        if !matches!(self.phase, Phase::Breaking { .. }) {
            return false;
        }
        let standing = self.standing.map(|standing| standing.deadline);
        // A break gets its whole grace, also when an earlier one was answered late in its own.
        match unanswered.into_iter().chain(standing).min() {
            Some(deadline) => {
                self.breaks(deadline);
                false
            }
            None => {
                self.phase = Phase::Held;
                true
            }
        }
    }

    /// When the policy acts next.
    pub fn deadline(&self) -> Option<u64> {
        match self.phase {
            Phase::Breaking { deadline } => deadline,
            _ => None,
        }
    }

    /// Withdraws it if the grace is over at `now`, and says what is to be done.
    pub fn expire(&mut self, now: u64) -> Option<Action> {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        let action = self.policy.action().filter(|_| due)?;
        self.phase = Phase::Withdrawn;
        self.standing = None;
        Some(action)
    }

    /// The holder closed it.
    pub fn close(&mut self) {
        self.phase = Phase::Draining;
        self.standing = None;
    }
}
