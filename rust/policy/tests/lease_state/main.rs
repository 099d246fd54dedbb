// SPDX-License-Identifier: GPL-2.0

//! The state of a lease against every interleaving of what breakers, holders, the clock and the
//! worker can do.
//!
//! [`scenario`] and [`world`] are the environment, [`invariants`] says what must hold, [`explore`] goes everywhere,
//! [`mutants`] shows that each invariant can fail.

mod explore;
mod invariants;
mod machine;
mod mutants;
mod scenario;
mod world;

use explore::explore;
use pinlease_policy::lease_state::{LeaseState, Patience, Policy};
use scenario::{ranges, BreakerPlan, Fault, LeasePlan, Pages, Scenario};

const POLICIES: [Policy; 4] = [Policy::Kill, Policy::Revoke, Policy::Block, Policy::Refuse];

const fn lease(policy: Policy, range: Pages, pins: Pages, holder: usize) -> LeasePlan {
    LeasePlan {
        policy,
        range,
        pins,
        holder,
        copied: false,
    }
}

const fn breaker(range: Pages, patience: Patience) -> BreakerPlan {
    BreakerPlan {
        range,
        patience,
        process: None,
    }
}

/// Explores; how many states there are.
fn holds<const L: usize, const B: usize>(scenario: &Scenario<L, B>) -> usize {
    explore(scenario, LeaseState::new).unwrap_or_else(|found| panic!("{}", found.story(scenario)))
}

/// One lease and three breakers whose ranges overlap in part, one of whom does not wait.
#[test]
fn three_breakers() {
    for policy in POLICIES {
        let states = holds(&Scenario {
            leases: [lease(policy, 0b111, 0b011, 0)],
            breakers: [
                breaker(0b011, Patience::Waits),
                breaker(0b110, Patience::Waits),
                breaker(0b001, Patience::ComesBack),
            ],
            resumes: false,
            folio: 0,
            fault: Fault::None,
        });
        println!("three breakers, {policy:?}: {states} states");
    }
}

/// One lease and two breakers of any ranges, who wait, come back or hold locks.
#[test]
fn two_breakers_of_any_ranges() {
    let kinds = [Patience::Waits, Patience::ComesBack, Patience::HoldsLocks];
    let any: Vec<_> = ranges()
        .flat_map(|range| kinds.map(|patience| breaker(range, patience)))
        .collect();
    for policy in POLICIES {
        let mut states = 0;
        for (index, first) in any.iter().enumerate() {
            for second in &any[index..] {
                states += holds(&Scenario {
                    leases: [lease(policy, 0b111, 0b010, 0)],
                    breakers: [*first, *second],
                    resumes: false,
                    folio: 0,
                    fault: Fault::None,
                });
            }
        }
        println!("two breakers of any ranges, {policy:?}: {states} states");
    }
}

/// Who asks without waiting and without telling anybody, or may not make anybody answer, beside
/// somebody who waits.
#[test]
fn quiet_breakers() {
    for policy in POLICIES {
        for quiet in [Patience::Probes, Patience::OnlyReads] {
            let states = holds(&Scenario {
                leases: [lease(policy, 0b111, 0b010, 0)],
                breakers: [breaker(0b011, Patience::Waits), breaker(0b110, quiet)],
                resumes: false,
                folio: 0,
                fault: Fault::None,
            });
            println!("quiet breakers, {policy:?}, {quiet:?}: {states} states");
        }
    }
}

/// Breakers who are interrupted and begin anew: the grace of who came later can end before.
#[test]
fn interrupted_and_begun_anew() {
    for policy in POLICIES {
        let states = holds(&Scenario {
            leases: [lease(policy, 0b011, 0b011, 0)],
            breakers: [
                breaker(0b001, Patience::Waits),
                breaker(0b010, Patience::Waits),
                breaker(0b010, Patience::ComesBack),
            ],
            resumes: true,
            folio: 0,
            fault: Fault::None,
        });
        println!("interrupted and begun anew, {policy:?}: {states} states");
    }
}

/// A lease of which another process has a copy, which the policy does not kill.
#[test]
fn copied_descriptor() {
    for policy in POLICIES {
        let states = holds(&Scenario {
            leases: [LeasePlan {
                copied: true,
                ..lease(policy, 0b011, 0b011, 0)
            }],
            breakers: [
                breaker(0b001, Patience::Waits),
                BreakerPlan {
                    process: Some(0),
                    ..breaker(0b010, Patience::Waits)
                },
                breaker(0b011, Patience::ComesBack),
            ],
            resumes: false,
            folio: 0,
            fault: Fault::None,
        });
        println!("copied descriptor, {policy:?}: {states} states");
    }
}

/// A lease on one page of a folio, and breakers of the other page: only a pin is in their way.
#[test]
fn large_folio() {
    for policy in POLICIES {
        let states = holds(&Scenario {
            leases: [lease(policy, 0b110, 0b010, 0)],
            breakers: [
                breaker(0b001, Patience::Waits),
                breaker(0b011, Patience::Waits),
                breaker(0b001, Patience::ComesBack),
            ],
            resumes: false,
            folio: 0b011,
            fault: Fault::None,
        });
        println!("large folio, {policy:?}: {states} states");
    }
}

/// Every two policies, in one order.
fn pairs() -> impl Iterator<Item = (Policy, Policy)> {
    let from = |first: usize| {
        POLICIES[first..]
            .iter()
            .map(move |&other| (POLICIES[first], other))
    };
    (0..POLICIES.len()).flat_map(from)
}

/// Two leases of two holders, each of whom breaks what the other holds, and somebody who wants both.
#[test]
fn crossed_breaks() {
    let of = |process, range| BreakerPlan {
        process: Some(process),
        ..breaker(range, Patience::Waits)
    };
    // Twice the same policy is what `leases_that_overlap` has.
    for (one, other) in pairs().filter(|(one, other)| one != other) {
        let states = holds(&Scenario {
            leases: [lease(one, 0b001, 0b001, 0), lease(other, 0b010, 0b010, 1)],
            breakers: [of(1, 0b001), of(0, 0b010), breaker(0b011, Patience::Waits)],
            resumes: false,
            folio: 0,
            fault: Fault::None,
        });
        println!("crossed breaks, {one:?} and {other:?}: {states} states");
    }
}

/// Two leases on the same pages, of two holders or of one, and two breakers of different ranges, one
/// of whom may not wait, or may be a holder.
#[test]
fn leases_that_overlap() {
    for (one, other) in pairs() {
        let mut states = 0;
        for (holder, process, patience) in [
            (1, None, Patience::Waits),
            (1, Some(1), Patience::Waits),
            (0, None, Patience::ComesBack),
        ] {
            states += holds(&Scenario {
                leases: [
                    lease(one, 0b011, 0b010, 0),
                    lease(other, 0b011, 0b001, holder),
                ],
                breakers: [
                    breaker(0b010, Patience::Waits),
                    BreakerPlan {
                        process,
                        ..breaker(0b011, patience)
                    },
                ],
                resumes: false,
                folio: 0,
                fault: Fault::None,
            });
        }
        println!("leases that overlap, {one:?} and {other:?}: {states} states");
    }
}
