// SPDX-License-Identifier: GPL-2.0

//! Every world that can be reached, the nearest first.

use crate::{
    invariants::{self, Broken},
    machine::Machine,
    scenario::Scenario,
    world::{Step, World},
};
use pinlease_policy::lease_state::Policy;
use rustc_hash::FxHashSet;
use std::fmt::Write as _;

/// How an invariant was broken: the shortest way.
#[derive(Debug)]
pub struct Found {
    pub broken: Broken,
    pub steps: Vec<Step>,
}

impl Found {
    /// For a person to read.
    pub fn story<const L: usize, const B: usize>(&self, scenario: &Scenario<L, B>) -> String {
        let mut story = format!("{:?} in {scenario:#?}:\n", self.broken);
        for step in &self.steps {
            writeln!(story, "  {step:?}").unwrap();
        }
        story
    }
}

/// Goes through all worlds; how many there are. `new`: a lease that was just acquired.
pub fn explore<M: Machine, const L: usize, const B: usize>(
    scenario: &Scenario<L, B>,
    new: impl Fn(Policy) -> M,
) -> Result<usize, Found> {
    let all = scenario.steps();
    let start: World<M, L, B> = scenario.start(new);
    let mut seen = FxHashSet::from_iter([start]);
    // Where each world was reached from, and how.
    let mut reached = vec![(start, None)];
    let mut at = 0;
    while at < reached.len() {
        let world = reached[at].0;
        let fail = |broken, step| Found {
            broken,
            steps: way(&reached, at, step),
        };
        let mut found = Vec::new();
        invariants::state(scenario, &world).map_err(|broken| fail(broken, None))?;
        for &step in &all {
            let after = scenario
                .after(&world, step)
                .map_err(|broken| fail(broken, Some(step)))?;
            let Some((after, over)) = after else {
                continue;
            };
            invariants::transition(scenario, &world, &after, &over)
                .map_err(|broken| fail(broken, Some(step)))?;
            if seen.insert(after) {
                found.push((after, Some((at, step))));
            }
        }
        reached.append(&mut found);
        at += 1;
    }
    Ok(reached.len())
}

fn way<W>(reached: &[(W, Option<(usize, Step)>)], mut at: usize, last: Option<Step>) -> Vec<Step> {
    let mut steps: Vec<_> = last.into_iter().collect();
    while let Some((from, step)) = reached[at].1 {
        steps.push(step);
        at = from;
    }
    steps.reverse();
    steps
}
