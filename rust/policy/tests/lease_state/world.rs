// SPDX-License-Identifier: GPL-2.0

//! The environment of leases: what the module does under one lock is one step here.

use crate::{
    invariants::{self, Broken},
    machine::Machine,
    scenario::{pages, range, ranges, Fault, Pages, Scenario, GRACE, PAGES},
};
use pinlease_policy::lease_state::{Action, Patience, Phase, Policy, Verdict};
use pinlease_policy::range::PageRange;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Life {
    Alive,
    /// SIGKILL is on its way.
    Killed,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lease<M> {
    pub state: M,
    pub range: Pages,
    pub pins: Pages,
    /// For the invariants: the break that stands, what it wants and when it began.
    pub standing: Option<(Pages, u8)>,
    /// For the invariants: a break that stood was answered, and nothing was pinned since.
    pub yields: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// It was not there yet, or will come back.
    Away,
    Waiting,
    /// A signal interrupted it; it may begin anew, as if it had never left.
    Interrupted,
    /// In its operation.
    Running,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Breaker {
    pub stage: Stage,
    pub number: u8,
    pub began: u8,
    /// It began anew.
    pub resumed: bool,
    /// For the invariants: the leases that it waits for or waited for, a bit for each.
    pub asked: u8,
    /// For the invariants: those that answered it by unpinning.
    pub told: u8,
}

const AWAY: Breaker = Breaker {
    stage: Stage::Away,
    number: 0,
    began: 0,
    resumed: false,
    asked: 0,
    told: 0,
};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct World<M, const L: usize, const B: usize> {
    pub now: u8,
    pub sequence: u8,
    pub leases: [Lease<M>; L],
    pub breakers: [Breaker; B],
    pub holders: [Life; L],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The breaker begins, or comes back.
    Begin(usize),
    Interrupt(usize),
    /// It wakes up, and goes on if nothing holds it up.
    GoOn(usize),
    /// Its operation is done.
    Finish(usize),
    Pin(usize, Pages),
    Unpin(usize, Pages),
    Shrink(usize, Pages),
    Close(usize),
    /// The pins of a closed lease are gone.
    Drain(usize),
    /// The process is gone.
    Die(usize),
    Tick,
    /// The worker looks at the clock.
    Expire(usize),
    /// The worker takes the pins away.
    Revoke(usize),
}

/// What a step led to: the world, and of which leases it was said that the break is over.
pub type After<M, const L: usize, const B: usize> = (World<M, L, B>, [bool; L]);

impl<const L: usize, const B: usize> Scenario<L, B> {
    pub fn start<M: Machine>(&self, new: impl Fn(Policy) -> M) -> World<M, L, B> {
        World {
            now: 0,
            sequence: 0,
            leases: self.leases.map(|plan| Lease {
                state: new(plan.policy),
                range: plan.range,
                pins: plan.pins,
                standing: None,
                yields: false,
            }),
            breakers: [AWAY; B],
            holders: [Life::Alive; L],
        }
    }

    /// Everything that somebody may try.
    pub fn steps(&self) -> Vec<Step> {
        let breakers = (0..B).flat_map(|breaker| {
            [Step::Begin, Step::Interrupt, Step::GoOn, Step::Finish].map(|step| step(breaker))
        });
        let leases = (0..L).flat_map(|lease| {
            let pages = (0..PAGES).map(|page| 1 << page);
            let pins = pages.clone().map(move |page| Step::Pin(lease, page));
            let unpins = pages.map(move |page| Step::Unpin(lease, page));
            let shrinks = ranges().map(move |range| Step::Shrink(lease, range));
            let others = [
                Step::Close,
                Step::Drain,
                Step::Die,
                Step::Expire,
                Step::Revoke,
            ]
            .map(|step| step(lease));
            pins.chain(unpins).chain(shrinks).chain(others)
        });
        breakers.chain(leases).chain([Step::Tick]).collect()
    }

    /// The pages of the folios in which `pages` are.
    pub fn footprint(&self, pages: Pages) -> Pages {
        if pages & self.folio == 0 {
            pages
        } else {
            pages | self.folio
        }
    }

    pub fn pinned<M: Machine>(&self, world: &World<M, L, B>, lease: usize, breaker: usize) -> bool {
        self.footprint(world.leases[lease].pins) & self.breakers[breaker].range != 0
    }

    /// Whether the lease is in the breaker's way.
    pub fn meets<M: Machine>(&self, world: &World<M, L, B>, lease: usize, breaker: usize) -> bool {
        world.leases[lease].range & self.breakers[breaker].range != 0
            || self.pinned(world, lease, breaker)
    }

    /// Whether nothing holds the breaker up, as the module finds it.
    pub fn may_go_on<M: Machine>(&self, world: &World<M, L, B>, breaker: usize) -> bool {
        (0..L).all(|lease| self.passes(world, lease, breaker))
    }

    /// Whether the lease does not hold the breaker up.
    pub fn passes<M: Machine>(&self, world: &World<M, L, B>, lease: usize, breaker: usize) -> bool {
        let number = world.breakers[breaker].number.into();
        let pinned = self.pinned(world, lease, breaker);
        !self.meets(world, lease, breaker) || world.leases[lease].state.lets_pass(number, pinned)
    }

    /// What `step` leads to; `None` when it is not possible now, or changes nothing.
    pub fn after<M: Machine>(
        &self,
        before: &World<M, L, B>,
        step: Step,
    ) -> Result<Option<After<M, L, B>>, Broken> {
        let mut world = *before;
        if !self.take(&mut world, step)? {
            return Ok(None);
        }
        let over = self.settle(&mut world, step);
        self.forget(&mut world);
        Ok((world != *before || over.contains(&true)).then_some((world, over)))
    }

    /// Makes worlds the same that only differ in what nobody looks at any more.
    fn forget<M: Machine>(&self, world: &mut World<M, L, B>) {
        for breaker in &mut world.breakers {
            if !matches!(breaker.stage, Stage::Waiting | Stage::Interrupted) {
                *breaker = Breaker {
                    stage: breaker.stage,
                    ..AWAY
                };
            }
        }
        // What a lease that ended had shrunk to does not count any more.
        for (plan, lease) in self.leases.iter().zip(&mut world.leases) {
            if invariants::is_final(lease.state.phase()) {
                lease.range = plan.range;
                lease.yields = false;
            }
        }
        for (process, life) in world.holders.iter_mut().enumerate() {
            let plans = self.leases.iter().zip(&world.leases);
            let holds = plans
                .filter(|(plan, _)| plan.holder == process)
                .any(|(_, lease)| !is_closed(lease));
            if !holds
                && self
                    .breakers
                    .iter()
                    .all(|plan| plan.process != Some(process))
            {
                *life = Life::Dead;
            }
        }
        let waits =
            |breaker: &Breaker| matches!(breaker.stage, Stage::Waiting | Stage::Interrupted);
        let breaks = |lease: &Lease<M>| matches!(lease.state.phase(), Phase::Breaking { .. });
        if !world.breakers.iter().any(waits) && !world.leases.iter().any(breaks) {
            world.now = 0;
        }
    }

    fn take<M: Machine>(&self, world: &mut World<M, L, B>, step: Step) -> Result<bool, Broken> {
        let possible = match step {
            Step::Begin(breaker) => match world.breakers[breaker].stage {
                Stage::Away | Stage::Interrupted => return self.begin(world, breaker),
                _ => false,
            },
            Step::Interrupt(breaker) if world.breakers[breaker].stage == Stage::Waiting => {
                let there = &mut world.breakers[breaker];
                *there = match self.resumes && !there.resumed {
                    true => Breaker {
                        stage: Stage::Interrupted,
                        began: there.began,
                        resumed: true,
                        ..AWAY
                    },
                    false => Breaker {
                        stage: Stage::Done,
                        ..AWAY
                    },
                };
                true
            }
            Step::GoOn(breaker) if world.breakers[breaker].stage == Stage::Waiting => {
                let goes = self.fault == Fault::WakesBlindly || self.may_go_on(world, breaker);
                if goes {
                    invariants::goes_on(self, world, breaker)?;
                    world.breakers[breaker].stage = Stage::Running;
                }
                goes
            }
            Step::Finish(breaker) if world.breakers[breaker].stage == Stage::Running => {
                world.breakers[breaker].stage = Stage::Done;
                true
            }
            Step::Pin(lease, page) if self.has_fd(world, lease) => {
                return self.pin(world, lease, page);
            }
            Step::Unpin(lease, page) if self.has_fd(world, lease) => self.unpin(world, lease, page),
            Step::Shrink(lease, range) if self.has_fd(world, lease) => {
                self.shrink(world, lease, range)
            }
            Step::Close(lease) if self.has_fd(world, lease) => {
                close(&mut world.leases[lease]);
                true
            }
            Step::Drain(lease) if is_closed(&world.leases[lease]) => {
                world.leases[lease].pins = 0;
                true
            }
            Step::Die(process) if world.holders[process] != Life::Dead => {
                self.die(world, process);
                true
            }
            Step::Tick if world.now < self.end() => {
                world.now += 1;
                true
            }
            Step::Expire(lease) => return self.expire(world, lease),
            Step::Revoke(lease) if self.is_revocable(world, lease) => {
                world.leases[lease].pins = 0;
                true
            }
            _ => false,
        };
        Ok(possible)
    }

    /// Where the clock stops: each breaker can come a tick after the one before it, and wait for as
    /// long as its grace. It begins anew when nobody waits.
    fn end(&self) -> u8 {
        GRACE + B as u8 - 1
    }

    fn has_fd<M: Machine>(&self, world: &World<M, L, B>, lease: usize) -> bool {
        let plan = self.leases[lease];
        !is_closed(&world.leases[lease])
            && (plan.copied || world.holders[plan.holder] != Life::Dead)
    }

    fn begin<M: Machine>(
        &self,
        world: &mut World<M, L, B>,
        breaker: usize,
    ) -> Result<bool, Broken> {
        let plan = self.breakers[breaker];
        if plan
            .process
            .is_some_and(|process| world.holders[process] == Life::Dead)
        {
            return Ok(false);
        }
        let mut verdicts = [Verdict::Pass; L];
        for (lease, verdict) in verdicts.iter_mut().enumerate() {
            if self.meets(world, lease, breaker) {
                let own = plan.process == Some(self.leases[lease].holder);
                let pinned = self.pinned(world, lease, breaker);
                *verdict = world.leases[lease].state.meets(pinned, own, plan.patience);
            }
        }
        invariants::begins(self, world, breaker, &verdicts)?;
        if verdicts.contains(&Verdict::Refuse) || verdicts.contains(&Verdict::Deadlock) {
            return Ok(false);
        }
        let waits = verdicts.contains(&Verdict::Break);
        if waits && plan.patience == Patience::Probes {
            return Ok(false);
        }
        if world.breakers[breaker].stage == Stage::Away {
            world.breakers[breaker].began = world.now;
        }
        for (lease, verdict) in verdicts.iter().enumerate() {
            if *verdict == Verdict::Break {
                self.break_begins(world, lease, breaker);
            }
        }
        if !waits || plan.patience == Patience::Waits {
            world.breakers[breaker].stage = if waits {
                Stage::Waiting
            } else {
                Stage::Running
            };
            if self.fault != Fault::NumbersTooEarly {
                world.breakers[breaker].number = world.sequence;
            }
            world.sequence += 1;
        }
        Ok(true)
    }

    fn break_begins<M: Machine>(&self, world: &mut World<M, L, B>, lease: usize, breaker: usize) {
        let plan = self.breakers[breaker];
        let deadline = world.breakers[breaker].began + GRACE;
        let state = &mut world.leases[lease].state;
        state.break_begins(deadline.into(), plan.patience, range(plan.range));
        if plan.patience == Patience::Waits {
            world.breakers[breaker].asked |= 1 << lease;
        } else if !invariants::is_final(state.phase()) {
            let began = (plan.range, world.now);
            world.leases[lease].standing.get_or_insert(began);
        }
    }

    fn pin<M: Machine>(
        &self,
        world: &mut World<M, L, B>,
        lease: usize,
        page: Pages,
    ) -> Result<bool, Broken> {
        let there = &world.leases[lease];
        let registered = (0..B).any(|breaker| {
            let heeded = match world.breakers[breaker].stage {
                Stage::Waiting => self.fault != Fault::PinIgnoresWaiting,
                Stage::Running => self.fault != Fault::PinIgnoresRunning,
                Stage::Away | Stage::Interrupted | Stage::Done => false,
            };
            heeded && self.breakers[breaker].range & self.footprint(page) != 0
        });
        if !there.state.is_valid() || there.range & !there.pins & page == 0 || registered {
            return Ok(false);
        }
        invariants::pins(self, world, lease, self.footprint(page))?;
        let sequence = world.sequence.into();
        let there = &mut world.leases[lease];
        there.pins |= page;
        there.state.pinned(sequence);
        there.yields = false;
        Ok(true)
    }

    fn unpin<M: Machine>(&self, world: &mut World<M, L, B>, lease: usize, page: Pages) -> bool {
        if !world.leases[lease].state.is_valid() || world.leases[lease].pins & page == 0 {
            return false;
        }
        world.leases[lease].pins &= !page;
        let freed = self.footprint(page);
        let mut answers = (0..B).any(|breaker| {
            world.breakers[breaker].stage == Stage::Waiting
                && self.breakers[breaker].range & freed != 0
        });
        if answers {
            let sequence = world.sequence.into();
            world.leases[lease].state.answer(sequence);
        }
        let there = &mut world.leases[lease];
        let pins = self.footprint(there.pins);
        let pinned = |range: &PageRange| pins & pages(range) != 0;
        there.state.answer_standing(&range(freed), pinned);
        if there
            .standing
            .is_some_and(|(wants, _)| wants & freed != 0 && wants & pins == 0)
        {
            there.standing = None;
            there.yields = true;
            answers = true;
        }
        for breaker in 0..B {
            let waits = world.breakers[breaker].stage == Stage::Waiting;
            if answers && waits && !self.pinned(world, lease, breaker) {
                world.breakers[breaker].told |= 1 << lease;
            }
        }
        true
    }

    fn shrink<M: Machine>(&self, world: &mut World<M, L, B>, lease: usize, to: Pages) -> bool {
        let there = &mut world.leases[lease];
        let is_less = to & !there.range == 0 && to != there.range;
        if !there.state.is_valid() || !is_less || there.pins & !to != 0 {
            return false;
        }
        there.range = to;
        let pins = self.footprint(there.pins);
        let pinned = |range: &PageRange| pins & pages(range) != 0;
        there.state.shrink(&range(to), pinned);
        if there
            .standing
            .is_some_and(|(wants, _)| wants & (to | pins) == 0)
        {
            there.standing = None;
        }
        true
    }

    fn die<M: Machine>(&self, world: &mut World<M, L, B>, process: usize) {
        world.holders[process] = Life::Dead;
        for lease in 0..L {
            if self.leases[lease].holder == process && !self.leases[lease].copied {
                close(&mut world.leases[lease]);
            }
        }
        for breaker in 0..B {
            let dies = self.breakers[breaker].process == Some(process);
            if dies && world.breakers[breaker].stage == Stage::Waiting {
                world.breakers[breaker].stage = Stage::Done;
            }
        }
    }

    fn expire<M: Machine>(&self, world: &mut World<M, L, B>, lease: usize) -> Result<bool, Broken> {
        let due = invariants::deadline(self, world, lease)
            .filter(|_| matches!(self.leases[lease].policy, Policy::Kill | Policy::Revoke));
        let action = world.leases[lease].state.expire(world.now.into());
        invariants::acts(due, world.now, action)?;
        let Some(action) = action else {
            return Ok(false);
        };
        world.leases[lease].standing = None;
        let holder = &mut world.holders[self.leases[lease].holder];
        if action == Action::Kill && *holder == Life::Alive {
            *holder = Life::Killed;
        }
        Ok(true)
    }

    fn is_revocable<M: Machine>(&self, world: &World<M, L, B>, lease: usize) -> bool {
        let plan = self.leases[lease];
        let acted = match plan.policy {
            Policy::Revoke => true,
            Policy::Kill => {
                world.holders[plan.holder] == Life::Dead && self.fault != Fault::CopyKeepsPins
            }
            Policy::Block | Policy::Refuse => false,
        };
        acted && world.leases[lease].state.phase() == Phase::Withdrawn
    }

    /// What the module does after an answer, or when a breaker left: it settles the lease, or all.
    fn settle<M: Machine>(&self, world: &mut World<M, L, B>, after: Step) -> [bool; L] {
        let mut over = [false; L];
        for (lease, over) in over.iter_mut().enumerate() {
            let settles = match after {
                Step::Unpin(of, _) | Step::Shrink(of, _) => of == lease,
                Step::Interrupt(_) => self.fault != Fault::InterruptWithoutSettle,
                Step::Finish(_) | Step::Die(_) => true,
                _ => false,
            };
            if !settles {
                continue;
            }
            let unanswered = (0..B)
                .filter(|&breaker| world.breakers[breaker].stage == Stage::Waiting)
                .filter(|&breaker| !self.passes(world, lease, breaker))
                .map(|breaker| u64::from(world.breakers[breaker].began + GRACE))
                .min();
            *over = world.leases[lease].state.settle(unanswered);
        }
        over
    }
}

fn is_closed<M: Machine>(lease: &Lease<M>) -> bool {
    lease.state.phase() == Phase::Draining
}

fn close<M: Machine>(lease: &mut Lease<M>) {
    lease.state.close();
    lease.standing = None;
}
