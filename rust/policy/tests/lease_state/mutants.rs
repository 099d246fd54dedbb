// SPDX-License-Identifier: GPL-2.0

//! Wrong transitions, and a module that uses right ones in a wrong way: the model finds each, and
//! each invariant fails for one of them.

use crate::{
    breaker,
    explore::explore,
    invariants::Broken,
    lease,
    machine::Machine,
    scenario::{BreakerPlan, Fault, Scenario},
};
use pinlease_policy::lease_state::{Action, LeaseState, Patience, Phase, Policy, Verdict};
use pinlease_policy::range::PageRange;

/// A lease with a pin, and breakers who wait, come back, hold locks or are of the holder's process.
const ONE: Scenario<1, 4> = Scenario {
    leases: [lease(Policy::Kill, 0b111, 0b011, 0)],
    breakers: [
        breaker(0b011, Patience::Waits),
        breaker(0b110, Patience::Waits),
        breaker(0b011, Patience::ComesBack),
        BreakerPlan {
            process: Some(0),
            ..breaker(0b100, Patience::Waits)
        },
    ],
    resumes: false,
    folio: 0,
    fault: Fault::None,
};

const fn one(policy: Policy) -> Scenario<1, 4> {
    let mut scenario = ONE;
    scenario.leases[0].policy = policy;
    scenario
}

const fn faulty(fault: Fault) -> Scenario<1, 4> {
    Scenario { fault, ..ONE }
}

/// Another process has a copy of the descriptor.
const fn copied(fault: Fault) -> Scenario<1, 4> {
    let mut scenario = faulty(fault);
    scenario.leases[0].copied = true;
    scenario
}

/// One breaker.
const fn alone(policy: Policy, patience: Patience) -> Scenario<1, 1> {
    Scenario {
        leases: one(policy).leases,
        breakers: [breaker(0b001, patience)],
        resumes: false,
        folio: 0,
        fault: Fault::None,
    }
}

/// Two leases on the same pages, somebody who comes back to a part of one, somebody who waits for
/// both.
const TWO: Scenario<2, 2> = Scenario {
    leases: [
        lease(Policy::Kill, 0b111, 0b001, 0),
        lease(Policy::Block, 0b110, 0b010, 1),
    ],
    breakers: [
        breaker(0b001, Patience::ComesBack),
        breaker(0b010, Patience::Waits),
    ],
    resumes: false,
    folio: 0,
    fault: Fault::None,
};

/// Who is interrupted comes back.
const RESUMED: Scenario<1, 4> = Scenario {
    resumes: true,
    ..ONE
};

/// What is wrong with a transition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Mistake {
    LaterBreakExtends,
    FirstGraceForAll,
    EarlierGraceIgnored,
    ActsATickEarly,
    ActsWhenHeld,
    NeverActs,
    NeverSettles,
    SettlesInWordsOnly,
    SaysItTwice,
    NothingStands,
    NothingStandsUnderBlock,
    PinForgetsWhoPassed,
    YieldsForEver,
    DoesNotYield,
    AnyUnpinAnswersStanding,
    ShrinkDoesNotAnswer,
    AnswersAllButTheLast,
    AnswerCountsOnPins,
    WithdrawnLetsPass,
    RefuseAsksToWait,
    ClosedRefuseAsksToWait,
    HolderWaitsForItself,
    LocksMayWait,
    BreakRevives,
    CloseIsForgotten,
    WithdrawnPins,
}

/// A copy of the state of a lease with a mistake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Wrong {
    right: LeaseState,
    mistake: Mistake,
}

impl Machine for Wrong {
    fn right(&self) -> &LeaseState {
        &self.right
    }

    fn right_mut(&mut self) -> &mut LeaseState {
        &mut self.right
    }

    fn is_valid(&self) -> bool {
        self.right.is_valid() || self.mistake == Mistake::WithdrawnPins
    }

    fn meets(&self, pinned: bool, own: bool, patience: Patience) -> Verdict {
        match self.mistake {
            Mistake::HolderWaitsForItself => self.right.meets(pinned, false, patience),
            Mistake::LocksMayWait => self.right.meets(pinned, own, Patience::Waits),
            mistake => match self.right.meets(pinned, own, patience) {
                Verdict::Refuse
                    if mistake == Mistake::RefuseAsksToWait && self.right.is_valid()
                        || mistake == Mistake::ClosedRefuseAsksToWait && !self.right.is_valid() =>
                {
                    Verdict::Break
                }
                verdict => verdict,
            },
        }
    }

    fn break_begins(&mut self, mut deadline: u64, mut patience: Patience, range: PageRange) {
        match self.mistake {
            Mistake::LaterBreakExtends => {
                self.right.settle(Some(deadline));
            }
            Mistake::EarlierGraceIgnored => {
                deadline = deadline.max(self.right.deadline().unwrap_or(0));
            }
            Mistake::NothingStands => patience = Patience::Waits,
            Mistake::NothingStandsUnderBlock if patience == Patience::ComesBack => return,
            Mistake::BreakRevives if !self.right.is_valid() => {
                self.right = LeaseState::new(self.right.policy());
            }
            _ => {}
        }
        self.right.break_begins(deadline, patience, range);
    }

    fn lets_pass(&self, breaker: u64, pinned: bool) -> bool {
        match self.mistake {
            Mistake::AnswerCountsOnPins => self.right.lets_pass(breaker, false),
            Mistake::WithdrawnLetsPass if self.right.phase() == Phase::Withdrawn => true,
            _ => self.right.lets_pass(breaker, pinned),
        }
    }

    fn answer(&mut self, sequence: u64) {
        let missed = u64::from(self.mistake == Mistake::AnswersAllButTheLast);
        self.right.answer(sequence - missed);
    }

    fn answer_standing(&mut self, range: &PageRange, pinned: impl Fn(&PageRange) -> bool) {
        let heeds = self.mistake != Mistake::AnyUnpinAnswersStanding;
        self.right
            .answer_standing(range, |range| heeds && pinned(range));
        if self.mistake == Mistake::DoesNotYield {
            self.right.pinned(0);
        }
    }

    fn shrink(&mut self, range: &PageRange, pinned: impl Fn(&PageRange) -> bool) {
        if self.mistake != Mistake::ShrinkDoesNotAnswer {
            self.right.shrink(range, pinned);
        }
    }

    fn pinned(&mut self, sequence: u64) {
        match self.mistake {
            Mistake::PinForgetsWhoPassed => self.right.pinned(0),
            Mistake::YieldsForEver => {}
            _ => self.right.pinned(sequence),
        }
    }

    fn settle(&mut self, unanswered: Option<u64>) -> bool {
        let mut before = self.right;
        match self.mistake {
            Mistake::NeverSettles => false,
            Mistake::FirstGraceForAll => self.right.settle(unanswered.and(before.deadline())),
            Mistake::SettlesInWordsOnly => before.settle(unanswered),
            Mistake::SaysItTwice => {
                self.right.settle(unanswered) || self.right.phase() == Phase::Held
            }
            _ => self.right.settle(unanswered),
        }
    }

    fn expire(&mut self, now: u64) -> Option<Action> {
        match self.mistake {
            Mistake::NeverActs => None,
            Mistake::ActsATickEarly => self.right.expire(now + 1),
            Mistake::ActsWhenHeld => {
                let range = PageRange::new(0, 1).unwrap();
                self.right.break_begins(now, Patience::Waits, range);
                self.right.expire(now)
            }
            _ => self.right.expire(now),
        }
    }

    fn close(&mut self) {
        if self.mistake != Mistake::CloseIsForgotten {
            self.right.close();
        }
    }
}

type Case = (&'static str, fn() -> Option<Broken>, Broken);

/// The invariant that the model finds broken by a wrong transition.
fn wrong<const L: usize, const B: usize>(
    scenario: Scenario<L, B>,
    mistake: Mistake,
) -> Option<Broken> {
    let new = |policy| Wrong {
        right: LeaseState::new(policy),
        mistake,
    };
    explore(&scenario, new).err().map(|found| found.broken)
}

/// The same, by a module with a fault.
fn module<const L: usize, const B: usize>(scenario: Scenario<L, B>) -> Option<Broken> {
    explore(&scenario, LeaseState::new)
        .err()
        .map(|found| found.broken)
}

const CASES: &[Case] = &[
    (
        "a later break extends the grace",
        || wrong(ONE, Mistake::LaterBreakExtends),
        Broken::GraceExtended,
    ),
    (
        "a second break gets what is left of the first one's grace",
        || wrong(ONE, Mistake::FirstGraceForAll),
        Broken::GraceCut,
    ),
    (
        "a break whose grace ends before that of the first gets that one's",
        || wrong(RESUMED, Mistake::EarlierGraceIgnored),
        Broken::GraceExtended,
    ),
    (
        "the policy acts a tick early",
        || wrong(ONE, Mistake::ActsATickEarly),
        Broken::ActsEarly,
    ),
    (
        "the policy acts without a break",
        || wrong(ONE, Mistake::ActsWhenHeld),
        Broken::ActsWithoutBreak,
    ),
    (
        "the policy never acts",
        || wrong(ONE, Mistake::NeverActs),
        Broken::DoesNotAct,
    ),
    (
        "breaks never end",
        || wrong(ONE, Mistake::NeverSettles),
        Broken::NotReported,
    ),
    (
        "the end of a break is said but not done",
        || wrong(ONE, Mistake::SettlesInWordsOnly),
        Broken::BreakingWithoutBreak,
    ),
    (
        "the end of a break is said again",
        || wrong(ONE, Mistake::SaysItTwice),
        Broken::ReportedWrongly,
    ),
    (
        "a break does not stand",
        || wrong(ONE, Mistake::NothingStands),
        Broken::ReportedWrongly,
    ),
    (
        "a break does not stand where the policy is to block",
        || wrong(one(Policy::Block), Mistake::NothingStandsUnderBlock),
        Broken::BreakUnseen,
    ),
    (
        "a new pin holds up a breaker that has passed",
        || wrong(TWO, Mistake::PinForgetsWhoPassed),
        Broken::HeldUpAfterAnswer,
    ),
    (
        "a new pin does not take back an answer",
        || wrong(ONE, Mistake::YieldsForEver),
        Broken::PassesUnanswered,
    ),
    (
        "an answer to a break that stands is forgotten",
        || {
            wrong(
                alone(Policy::Kill, Patience::ComesBack),
                Mistake::DoesNotYield,
            )
        },
        Broken::ComesBackInVain,
    ),
    (
        "one of several unpins answers a break that stands",
        || wrong(ONE, Mistake::AnyUnpinAnswersStanding),
        Broken::ReportedWrongly,
    ),
    (
        "shrinking does not answer a break that stands",
        || wrong(ONE, Mistake::ShrinkDoesNotAnswer),
        Broken::NotReported,
    ),
    (
        "an answer misses the last breaker",
        || wrong(ONE, Mistake::AnswersAllButTheLast),
        Broken::NotReported,
    ),
    (
        "an answer counts while pins are left",
        || wrong(ONE, Mistake::AnswerCountsOnPins),
        Broken::ReportedWrongly,
    ),
    (
        "breakers do not wait for the pins of a withdrawn lease",
        || wrong(ONE, Mistake::WithdrawnLetsPass),
        Broken::PassesUnanswered,
    ),
    (
        "the policy to refuse lets breakers wait",
        || wrong(one(Policy::Refuse), Mistake::RefuseAsksToWait),
        Broken::RefuseWaits,
    ),
    (
        "the policy to refuse lets breakers wait for what a closed lease left",
        || wrong(one(Policy::Refuse), Mistake::ClosedRefuseAsksToWait),
        Broken::RefuseWaits,
    ),
    (
        "a holder waits for itself",
        || wrong(ONE, Mistake::HolderWaitsForItself),
        Broken::WaitsForItself,
    ),
    (
        "who holds locks waits",
        || {
            wrong(
                alone(Policy::Kill, Patience::HoldsLocks),
                Mistake::LocksMayWait,
            )
        },
        Broken::WaitsForbidden,
    ),
    (
        "a break revives a withdrawn lease",
        || wrong(ONE, Mistake::BreakRevives),
        Broken::Revived,
    ),
    (
        "closing is forgotten",
        || {
            wrong(
                alone(Policy::Block, Patience::Waits),
                Mistake::CloseIsForgotten,
            )
        },
        Broken::Stuck,
    ),
    (
        "a withdrawn lease can pin",
        || wrong(ONE, Mistake::WithdrawnPins),
        Broken::PinsWithoutRight,
    ),
    (
        "PIN does not look at breakers that wait",
        || module(faulty(Fault::PinIgnoresWaiting)),
        Broken::PinsInBreakersRange,
    ),
    (
        "PIN does not look at breakers in their operation",
        || module(faulty(Fault::PinIgnoresRunning)),
        Broken::PinsInBreakersRange,
    ),
    (
        "an interrupted breaker leaves without a word",
        || module(faulty(Fault::InterruptWithoutSettle)),
        Broken::NotReported,
    ),
    (
        "the worker spares the pins of a copy of the descriptor",
        || module(copied(Fault::CopyKeepsPins)),
        Broken::Stuck,
    ),
    (
        "a breaker that is woken does not look",
        || module(faulty(Fault::WakesBlindly)),
        Broken::RunsOnPin,
    ),
    (
        "a breaker gets its number before it is registered",
        || module(faulty(Fault::NumbersTooEarly)),
        Broken::PassesUnanswered,
    ),
];

#[test]
fn the_model_finds_it_when() {
    for (what, found, expected) in CASES {
        assert_eq!(found(), Some(*expected), "{what}");
        println!("found when {what}: {expected:?}");
    }
}

#[test]
fn every_invariant_can_fail() {
    for broken in Broken::ALL {
        let fails = CASES.iter().any(|(_, _, expected)| *expected == broken);
        assert!(fails, "nothing breaks {broken:?}");
    }
}
