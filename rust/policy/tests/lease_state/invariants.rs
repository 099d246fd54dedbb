// SPDX-License-Identifier: GPL-2.0

//! What must hold, in terms of who asked whom and who answered: without sequence numbers, and
//! without the state of the lease, which is what is judged.

use crate::{
    machine::Machine,
    scenario::{Pages, Scenario, GRACE, PAGES},
    world::{Life, Stage, Step, World},
};
use pinlease_policy::lease_state::{Action, Patience, Phase, Policy, Verdict};

/// An invariant that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    /// A breaker is in its operation while a pin is in its range.
    RunsOnPin,
    /// A pin is made in the range of a breaker that waits or is in its operation.
    PinsInBreakersRange,
    /// A pin is made on a lease that was withdrawn or closed.
    PinsWithoutRight,
    /// A breaker passes a lease that did not answer it.
    PassesUnanswered,
    /// A breaker does not pass a lease that has answered it, or that it was told to pass.
    HeldUpAfterAnswer,
    /// A breaker comes back after its break was answered, and does not pass.
    ComesBackInVain,
    /// A breaker waits for a lease whose policy is to refuse.
    RefuseWaits,
    /// A breaker waits for its own process.
    WaitsForItself,
    /// A breaker waits that holds locks, or that may not disturb anybody.
    WaitsForbidden,
    /// The policy acts before the grace of the first break is over that was not answered.
    ActsEarly,
    /// The policy acts though every break was answered or given up.
    ActsWithoutBreak,
    /// The grace is over, and the policy does not act.
    DoesNotAct,
    /// A later break extends the grace of an earlier one.
    GraceExtended,
    /// A break has less than its grace.
    GraceCut,
    /// A lease came back from the dead.
    Revived,
    /// It says that it is being broken, but nobody waits and no break stands.
    BreakingWithoutBreak,
    /// It is being broken and does not say so.
    BreakUnseen,
    /// A break is over, and that is not said.
    NotReported,
    /// It is said that a break is over that is not, or was before.
    ReportedWrongly,
    /// A breaker waits, and time, the worker and a dying holder do not end it; or, where the policy
    /// is to block, the holder cannot.
    Stuck,
}

impl Broken {
    /// Every invariant.
    pub const ALL: [Self; 20] = [
        Self::RunsOnPin,
        Self::PinsInBreakersRange,
        Self::PinsWithoutRight,
        Self::PassesUnanswered,
        Self::HeldUpAfterAnswer,
        Self::ComesBackInVain,
        Self::RefuseWaits,
        Self::WaitsForItself,
        Self::WaitsForbidden,
        Self::ActsEarly,
        Self::ActsWithoutBreak,
        Self::DoesNotAct,
        Self::GraceExtended,
        Self::GraceCut,
        Self::Revived,
        Self::BreakingWithoutBreak,
        Self::BreakUnseen,
        Self::NotReported,
        Self::ReportedWrongly,
        Self::Stuck,
    ];
}

/// Whether a lease has ended.
pub fn is_final(phase: Phase) -> bool {
    matches!(phase, Phase::Withdrawn | Phase::Draining)
}

/// Whether the breaker waits for an answer of the lease.
fn is_open<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    lease: usize,
    breaker: usize,
) -> bool {
    let there = &world.breakers[breaker];
    there.stage == Stage::Waiting
        && there.asked & !there.told & (1 << lease) != 0
        && scenario.meets(world, lease, breaker)
        && !is_final(world.leases[lease].state.phase())
}

/// When the grace of the first break is over that was not answered.
pub fn deadline<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    lease: usize,
) -> Option<u8> {
    let waiting = (0..B)
        .filter(|&breaker| is_open(scenario, world, lease, breaker))
        .map(|breaker| world.breakers[breaker].began);
    let standing = world.leases[lease].standing.map(|(_, began)| began);
    waiting.chain(standing).min().map(|began| began + GRACE)
}

/// A breaker got its verdicts.
pub fn begins<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    breaker: usize,
    verdicts: &[Verdict; L],
) -> Result<(), Broken> {
    let plan = scenario.breakers[breaker];
    for (lease, &verdict) in verdicts.iter().enumerate() {
        if !scenario.meets(world, lease, breaker) {
            continue;
        }
        let there = &world.leases[lease];
        let ended = is_final(there.state.phase());
        let free = !scenario.pinned(world, lease, breaker) && (ended || there.yields);
        let own = plan.process == Some(scenario.leases[lease].holder) && !ended;
        if verdict == Verdict::Pass && !free {
            return Err(Broken::PassesUnanswered);
        }
        if verdict != Verdict::Pass && free {
            return Err(Broken::ComesBackInVain);
        }
        if verdict == Verdict::Break {
            if there.state.policy() == Policy::Refuse {
                return Err(Broken::RefuseWaits);
            }
            if matches!(plan.patience, Patience::HoldsLocks | Patience::OnlyReads) {
                return Err(Broken::WaitsForbidden);
            }
            if own {
                return Err(Broken::WaitsForItself);
            }
        }
    }
    Ok(())
}

/// A breaker that waited goes on.
pub fn goes_on<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    breaker: usize,
) -> Result<(), Broken> {
    if (0..L).any(|lease| scenario.pinned(world, lease, breaker)) {
        return Err(Broken::RunsOnPin);
    }
    if (0..L).any(|lease| is_open(scenario, world, lease, breaker)) {
        return Err(Broken::PassesUnanswered);
    }
    Ok(())
}

/// A pin is made.
pub fn pins<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    lease: usize,
    footprint: Pages,
) -> Result<(), Broken> {
    if is_final(world.leases[lease].state.phase()) {
        return Err(Broken::PinsWithoutRight);
    }
    for (plan, breaker) in scenario.breakers.iter().zip(&world.breakers) {
        if matches!(breaker.stage, Stage::Waiting | Stage::Running) && plan.range & footprint != 0 {
            return Err(Broken::PinsInBreakersRange);
        }
    }
    Ok(())
}

/// The worker looked at the clock.
pub fn acts(due: Option<u8>, now: u8, action: Option<Action>) -> Result<(), Broken> {
    match (due, action) {
        (None, Some(_)) => Err(Broken::ActsWithoutBreak),
        (Some(due), Some(_)) if now < due => Err(Broken::ActsEarly),
        (Some(due), None) if due <= now => Err(Broken::DoesNotAct),
        _ => Ok(()),
    }
}

/// A step was taken; `over`: of which leases the break was said to be over.
pub fn transition<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    before: &World<M, L, B>,
    after: &World<M, L, B>,
    over: &[bool; L],
) -> Result<(), Broken> {
    for (lease, &said) in over.iter().enumerate() {
        let phases = (
            before.leases[lease].state.phase(),
            after.leases[lease].state.phase(),
        );
        match phases {
            (Phase::Withdrawn, Phase::Held | Phase::Breaking { .. })
            | (Phase::Draining, Phase::Held | Phase::Breaking { .. } | Phase::Withdrawn) => {
                return Err(Broken::Revived);
            }
            _ => {}
        }
        let ended = deadline(scenario, before, lease).is_some()
            && deadline(scenario, after, lease).is_none()
            && !is_final(phases.1);
        match (ended, said) {
            (true, false) => return Err(Broken::NotReported),
            (false, true) => return Err(Broken::ReportedWrongly),
            _ => {}
        }
    }
    Ok(())
}

/// A world was reached.
pub fn state<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
) -> Result<(), Broken> {
    for lease in 0..L {
        says_what_is(scenario, world, lease)?;
    }
    for breaker in 0..B {
        match world.breakers[breaker].stage {
            Stage::Running => {
                if (0..L).any(|lease| scenario.pinned(world, lease, breaker)) {
                    return Err(Broken::RunsOnPin);
                }
            }
            Stage::Waiting => {
                waits_for_reason(scenario, world, breaker)?;
                wait_ends(scenario, *world, breaker)?;
            }
            Stage::Away | Stage::Interrupted | Stage::Done => {}
        }
    }
    Ok(())
}

fn says_what_is<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    lease: usize,
) -> Result<(), Broken> {
    let there = &world.leases[lease];
    let acts = matches!(there.state.policy(), Policy::Kill | Policy::Revoke);
    let first = deadline(scenario, world, lease);
    match (there.state.phase(), first) {
        (Phase::Held, None) | (Phase::Withdrawn | Phase::Draining, _) => Ok(()),
        (Phase::Held, Some(_)) => Err(Broken::BreakUnseen),
        (Phase::Breaking { .. }, None) => Err(Broken::BreakingWithoutBreak),
        (Phase::Breaking { deadline }, Some(first)) => {
            let first = acts.then_some(u64::from(first));
            // `None` is later than everything.
            match deadline.unwrap_or(u64::MAX).cmp(&first.unwrap_or(u64::MAX)) {
                std::cmp::Ordering::Less => Err(Broken::GraceCut),
                std::cmp::Ordering::Equal => Ok(()),
                std::cmp::Ordering::Greater => Err(Broken::GraceExtended),
            }
        }
    }
}

/// Each lease holds a breaker up as long as it is pinned there, or was asked and did not answer.
fn waits_for_reason<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &World<M, L, B>,
    breaker: usize,
) -> Result<(), Broken> {
    for lease in 0..L {
        let reason =
            scenario.pinned(world, lease, breaker) || is_open(scenario, world, lease, breaker);
        match (reason, scenario.passes(world, lease, breaker)) {
            (true, true) => return Err(Broken::PassesUnanswered),
            (false, false) => return Err(Broken::HeldUpAfterAnswer),
            _ => {}
        }
    }
    Ok(())
}

/// The wait of a breaker ends by the clock, the worker and holders that were killed, not later than
/// its own grace; for leases with the policy to block, also by the least that the holder can do.
fn wait_ends<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    mut world: World<M, L, B>,
    breaker: usize,
) -> Result<(), Broken> {
    for lease in 0..L {
        if scenario.leases[lease].policy != Policy::Block {
            continue;
        }
        let pinned = scenario.pinned(&world, lease, breaker);
        let wanted = scenario.breakers[breaker].range;
        for page in (0..PAGES).map(|page| 1 << page) {
            if scenario.footprint(page) & wanted != 0 {
                run(scenario, &mut world, Step::Unpin(lease, page))?;
            }
        }
        if !pinned && !scenario.may_go_on(&world, breaker) {
            run(scenario, &mut world, Step::Close(lease))?;
        }
    }
    let end = world.now.max(world.breakers[breaker].began + GRACE);
    loop {
        for lease in 0..L {
            run(scenario, &mut world, Step::Expire(lease))?;
        }
        for lease in 0..L {
            if world.holders[lease] == Life::Killed {
                run(scenario, &mut world, Step::Die(lease))?;
            }
        }
        for lease in 0..L {
            run(scenario, &mut world, Step::Revoke(lease))?;
            run(scenario, &mut world, Step::Drain(lease))?;
        }
        if scenario.may_go_on(&world, breaker) || world.breakers[breaker].stage != Stage::Waiting {
            return Ok(());
        }
        if world.now >= end {
            return Err(Broken::Stuck);
        }
        world.now += 1;
    }
}

fn run<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    world: &mut World<M, L, B>,
    step: Step,
) -> Result<(), Broken> {
    if let Some((after, _)) = scenario.after(world, step)? {
        *world = after;
    }
    Ok(())
}
