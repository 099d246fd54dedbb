// SPDX-License-Identifier: GPL-2.0
//! Changes sequences that reached something.

use fastrand::Rng;

use crate::{
    generate,
    model::Model,
    operation::{Sequence, Step},
    run::Steps,
    tally::STEPS,
};

/// A changed copy of `base`; `other` may lend it steps.
pub fn mutated(rng: &mut Rng, base: &Sequence, other: &Sequence) -> Mutated {
    let mut steps = base.0.clone();
    for _ in 0..rng.u32(1..4) {
        change(rng, &mut steps, &other.0);
    }
    steps.truncate(STEPS);
    let fresh = (0..rng.usize(0..4))
        .map(|_| rng.usize(..steps.len() + 1))
        .collect();
    Mutated {
        steps,
        fresh,
        next: 0,
        rng: rng.fork(),
    }
}

fn change(rng: &mut Rng, steps: &mut Vec<Step>, other: &[Step]) {
    if steps.is_empty() {
        steps.extend(other);
        return;
    }
    let (one, two) = (rng.usize(..steps.len()), rng.usize(..steps.len()));
    let (start, end) = (one.min(two), one.max(two));
    match rng.u32(..5) {
        // Drops a few.
        0 => drop(steps.drain(start..end.min(start + 8))),
        // Repeats some.
        1 => {
            let part = steps[start..end].to_vec();
            steps.splice(end..end, part);
        }
        // Exchanges two.
        2 => steps.swap(start, end),
        // Lets the other process do it.
        3 => steps[start].0 = steps[start].0.other(),
        // Goes on as another one does.
        _ => {
            let from = rng.usize(..other.len() + 1);
            steps.truncate(end);
            steps.extend(&other[from..]);
        }
    }
}

/// The steps of a changed sequence, with some drawn anew for the state in which they happen.
#[derive(Debug)]
pub struct Mutated {
    steps: Vec<Step>,
    fresh: Vec<usize>,
    next: usize,
    rng: Rng,
}

impl Steps for Mutated {
    fn next(&mut self, model: &Model) -> Option<Step> {
        let index = self.next;
        self.next += 1;
        match self.fresh.contains(&index) {
            true if index <= self.steps.len() => Some(generate::step(&mut self.rng, model)),
            _ => self.steps.get(index).copied(),
        }
    }
}
