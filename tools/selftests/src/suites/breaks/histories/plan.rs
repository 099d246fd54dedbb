// SPDX-License-Identifier: GPL-2.0
//! What the processes of a history are to do.

use std::{ops::Range, time::Duration};

use fastrand::Rng;
use pinlease::Policy;

use super::history::{Attempt, Means, Terms};

/// Files of a history, and pages of each.
pub const FILES: usize = 3;
pub const PAGES: u64 = 12;

/// A history to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Scripts of the holders, then of the breakers.
    pub scripts: Vec<Script>,
    /// Who is killed when.
    pub kills: Vec<(usize, Duration)>,
}

/// What a process does.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it does about breaks.
    pub style: Style,
    /// How long after a break.
    pub delay: Duration,
    /// Each after a pause.
    pub steps: Vec<(Duration, Step)>,
}

/// What a holder does about a break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Ignores,
    Closes,
    Unpins,
    Shrinks,
}

/// A step of a process.
#[derive(Clone, Debug)]
pub enum Step {
    Acquire(Terms),
    /// Pins these pages of the lease's, counted from its first one.
    Pin(Range<u64>),
    Unpin,
    /// Gives back the lease's last page.
    Shrink,
    Close,
    Break(Attempt),
}

impl Plan {
    /// The plan of this seed.
    pub fn random(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let holders = random.usize(3..=5);
        let breakers = random.usize(2..=4);
        let mut scripts = Vec::new();
        for _ in 0..holders {
            scripts.push(holder(&mut random));
        }
        for _ in 0..breakers {
            scripts.push(breaker(&mut random));
        }
        let kills = (0..random.usize(0..3))
            .map(|_| (random.usize(..scripts.len()), millis(&mut random, 20..400)))
            .collect();
        Self { scripts, kills }
    }
}

fn millis(random: &mut Rng, range: Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// One of the files, the first more often: they shall meet.
fn file(random: &mut Rng) -> usize {
    random.usize(..2 * FILES).saturating_sub(FILES)
}

fn pages(random: &mut Rng) -> Range<u64> {
    let first = random.u64(0..PAGES);
    let count = random.u64(2..=9);
    first..(first + count).min(PAGES)
}

fn holder(random: &mut Rng) -> Script {
    let style = [Style::Ignores, Style::Closes, Style::Unpins, Style::Shrinks][random.usize(..4)];
    let mut steps = Vec::new();
    for _ in 0..random.usize(1..=2) {
        let policy = Policy::ALL[random.usize(..Policy::ALL.len())];
        let terms = Terms {
            file: file(random),
            pages: pages(random),
            policy,
            grace: millis(random, 60..220),
        };
        let length = terms.pages.end - terms.pages.start;
        steps.push((millis(random, 0..40), Step::Acquire(terms)));
        for _ in 0..random.usize(1..5) {
            let first = random.u64(..length);
            let step = match random.u32(..10) {
                0..6 => Step::Pin(first..random.u64(first..length) + 1),
                6 => Step::Unpin,
                7 => Step::Shrink,
                8 => Step::Break(attempt(random)),
                // What it has stays as it is for longer.
                _ => continue,
            };
            steps.push((millis(random, 0..100), step));
        }
        steps.push((millis(random, 100..350), Step::Close));
    }
    Script {
        style,
        delay: millis(random, 0..150),
        steps,
    }
}

fn breaker(random: &mut Rng) -> Script {
    let steps = (0..random.usize(3..=6))
        .map(|_| (millis(random, 10..100), Step::Break(attempt(random))))
        .collect();
    Script {
        style: Style::Ignores,
        delay: Duration::ZERO,
        steps,
    }
}

fn attempt(random: &mut Rng) -> Attempt {
    let means = match random.u32(..6) {
        0 | 1 => Means::Punch,
        2 | 3 => Means::Zero,
        4 => Means::Write,
        _ => Means::Truncate,
    };
    let mut pages = pages(random);
    if means == Means::Truncate {
        pages.end = PAGES;
    }
    Attempt {
        file: file(random),
        pages,
        means,
        nonblock: random.u32(..6) == 0,
        interrupt: (random.u32(..5) == 0).then(|| millis(random, 1..150)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let plan = |seed| format!("{:?}", Plan::random(seed));
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn plans_are_sensible() {
        for seed in 0..200 {
            let plan = Plan::random(seed);
            assert!((5..=9).contains(&plan.scripts.len()));
            for script in &plan.scripts {
                for (_, step) in &script.steps {
                    if let Step::Acquire(Terms { pages, .. }) | Step::Break(Attempt { pages, .. }) =
                        step
                    {
                        assert!(!pages.is_empty() && pages.end <= PAGES);
                    }
                }
            }
        }
    }
}
