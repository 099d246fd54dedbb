// SPDX-License-Identifier: GPL-2.0
//! Compares a history with the rules of the interface: is there an order of all
//! calls, each somewhere between its begin and its end, that keeps them?

use std::time::Duration;

use nix::errno::Errno;
use pinlease::Policy;

use super::{
    facts::{overlap, Facts, Held, Operation},
    history::{Action, History, Means, What},
};
use crate::support::{Kind, Seen};

/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_secs(3);

/// Between the reading of the clock for one thing and for another.
const CLOCKS: Duration = Duration::from_millis(50);

/// All violations.
pub fn check(history: &History) -> Vec<String> {
    let lost = history
        .watched
        .iter()
        .any(|seen| matches!(seen.kind, Kind::Overflow { .. }));
    if lost {
        return vec!["the watch was not read fast enough: nothing can be said".into()];
    }
    let facts = Facts::of(history);
    let mut checker = Checker {
        history,
        facts: &facts,
        violations: Vec::new(),
    };
    for operation in &facts.operations {
        checker.waits(operation);
        checker.passes(operation);
        checker.result(operation);
        checker.told(operation);
    }
    for held in &facts.leases {
        checker.withdrawal(held);
        checker.life(held);
    }
    checker.deaths();
    checker.breaks();
    checker.readers();
    checker.failures();
    checker.violations
}

struct Checker<'a> {
    history: &'a History,
    facts: &'a Facts,
    violations: Vec<String>,
}

impl<'a> Checker<'a> {
    fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// Leases that may have been in the way.
    fn met(&self, operation: &'a Operation) -> impl Iterator<Item = &'a Held> {
        let leases = self.facts.leases.iter();
        leases.filter(move |held| held.may_meet(operation, operation.over))
    }

    fn events_of(&self, lease: u64) -> impl Iterator<Item = &'a Seen> {
        let watched = self.history.watched.iter();
        watched.filter(move |seen| seen.lease == lease)
    }

    /// Whether its holder may have answered a breaker that said that it would come back, and has not
    /// pinned since: then it lets breakers pass.
    fn may_yield(&self, held: &Held, end: Duration) -> bool {
        held.answers.iter().any(|answer| {
            let asked = self
                .events_of(held.id)
                .any(|seen| seen.is_break() && seen.time <= answer.end);
            let pinned = held
                .pins
                .iter()
                .any(|pin| answer.end < pin.from && pin.from < end);
            let unpinned = matches!(answer.action, Action::Unpin) && answer.succeeded;
            unpinned && answer.begin < end && asked && !pinned
        })
    }

    /// Nobody waits over two graces, policy block aside.
    fn waits(&mut self, operation: &'a Operation) {
        let Some((end, _)) = operation.end else {
            return;
        };
        let mut grace = Duration::ZERO;
        for held in self.met(operation) {
            if held.terms.policy == Policy::Block {
                return;
            }
            grace = grace.max(held.terms.grace);
        }
        let took = end.saturating_sub(operation.begin);
        if took > 2 * grace + SLACK {
            self.violation(format!(
                "waited {took:?}, the grace is {grace:?}: {operation:?}"
            ));
        }
    }

    /// Nobody passes a pin, or a lease whose holder did nothing.
    fn passes(&mut self, operation: &'a Operation) {
        let Some((end, Ok(()))) = operation.end else {
            return;
        };
        let mut pinned: Vec<(Duration, Duration)> = Vec::new();
        for held in self.met(operation) {
            let pins = held.pins.iter();
            pinned.extend(
                pins.filter(|pin| overlap(&pin.pages, &operation.touched()))
                    .map(|pin| (pin.from, pin.to)),
            );
            let answered = held.may_have_answered(operation.begin, end);
            let withdrawn = held.withdrawn.is_some_and(|at| at <= end);
            let yields = self.may_yield(held, end);
            if held.surely_meets(operation, end) && !answered && !withdrawn && !yields {
                self.violations.push(format!(
                    "passed lease {}, whose holder did nothing: {operation:?}",
                    held.id
                ));
            }
        }
        // Somewhere between begin and end nothing was pinned.
        pinned.sort();
        let mut free = operation.begin;
        for (from, to) in pinned {
            if from <= free && to >= free {
                free = to + Duration::from_nanos(1);
            }
        }
        if free > end {
            self.violation(format!("passed over a pin: {operation:?}"));
        }
    }

    /// Each result has a reason.
    fn result(&mut self, operation: &'a Operation) {
        let Some((end, result)) = operation.end else {
            return;
        };
        let own = |held: &Held| held.actor == operation.actor;
        let explained = match result {
            Ok(()) => !self.met(operation).any(|held| {
                (own(held) || held.terms.policy == Policy::Refuse)
                    && held.surely_meets(operation, end)
                    && !self.may_yield(held, end)
            }),
            Err(Errno::ETXTBSY) => {
                let mut met = self.met(operation);
                met.any(|held| held.terms.policy == Policy::Refuse)
            }
            Err(Errno::EDEADLK) => {
                let mut met = self.met(operation);
                met.any(|held| own(held) || held.terms.policy == Policy::Block)
            }
            Err(Errno::EWOULDBLOCK) => {
                // Who was withdrawn does not wait for itself, but its pins may still be there.
                let in_the_way =
                    |held: &Held| !own(held) || held.withdrawn.is_some_and(|at| at <= end);
                operation.attempt.nonblock && self.met(operation).any(in_the_way)
            }
            Err(Errno::EINTR) => {
                let interrupt = operation.attempt.interrupt;
                interrupt.is_some_and(|after| end >= operation.begin + after)
            }
            Err(_) => false,
        };
        if !explained {
            self.violation(format!("{result:?} without a reason: {operation:?}"));
        }
        if result == Err(Errno::ETXTBSY) {
            self.refused(operation, end);
        }
    }

    /// Who is refused has not waited, and nobody else was asked.
    fn refused(&mut self, operation: &Operation, end: Duration) {
        let took = end.saturating_sub(operation.begin);
        if took > SLACK {
            self.violation(format!("refused after {took:?}: {operation:?}"));
        }
        let watched = self.history.watched.iter();
        let asked = watched
            .filter(|seen| operation.is_told_by(seen))
            .find(|seen| seen.is_break());
        if let Some(asked) = asked {
            self.violation(format!("refused, but {asked:?}: {operation:?}"));
        }
    }

    /// Holders in the way are told.
    fn told(&mut self, operation: &'a Operation) {
        let Some((end, result)) = operation.end else {
            return;
        };
        if matches!(result, Err(Errno::ETXTBSY | Errno::EDEADLK)) {
            return;
        }
        for held in self.met(operation) {
            let asks = held.actor != operation.actor && held.terms.policy != Policy::Refuse;
            if !asks || !held.surely_meets(operation, end) || self.may_yield(held, end) {
                continue;
            }
            let told = self.events_of(held.id).any(|seen| {
                seen.is_break() && (operation.is_told_by(seen) || came_before(operation, seen))
            });
            if !told {
                let id = held.id;
                self.violations.push(format!(
                    "the holder of lease {id} was not told of {operation:?}"
                ));
            }
        }
    }

    /// A policy acts when a deadline is over, and not on who has answered.
    fn withdrawal(&mut self, held: &Held) {
        let Some(at) = held.withdrawn else {
            return;
        };
        let id = held.id;
        if !matches!(held.terms.policy, Policy::Kill | Policy::Revoke) {
            self.violation(format!("withdrawn under {}: lease {id}", held.terms.policy));
        }
        let breaks: Vec<&Seen> = self.events_of(id).filter(|seen| seen.is_break()).collect();
        let due = breaks
            .iter()
            .filter_map(|seen| seen.deadline())
            .any(|due| due <= at);
        if !due {
            self.violation(format!(
                "withdrawn at {at:?} before any deadline: lease {id}"
            ));
        }
        for answer in &held.answers {
            if !answer.succeeded || answer.end >= at {
                continue;
            }
            // What stands against the answer: a later break, or one that a
            // shrink or the end of a pin elsewhere does not answer.
            let stands = breaks.iter().any(|seen| {
                seen.time >= answer.begin
                    || matches!(&answer.action, Action::Shrink(pages) if in_pages(seen, pages))
                    || matches!(&answer.action, Action::Unpin)
                        && !held.pins.iter().any(|pin| {
                            // It ended by this answer, and was in the breaker's way.
                            let ended = answer.begin <= pin.to && pin.to <= answer.end;
                            ended && in_pages(seen, &pin.pages)
                        })
            });
            let answers = !matches!(answer.action, Action::Exit);
            if answers && (!stands || matches!(answer.action, Action::Close)) {
                self.violation(format!("withdrawn at {at:?} after {answer:?}: lease {id}"));
            }
        }
    }

    /// A lease begins once, ends once, and every break of it has an end.
    fn life(&mut self, held: &Held) {
        let id = held.id;
        let events: Vec<&Seen> = self.events_of(id).collect();
        let count = |word| {
            events
                .iter()
                .filter(|seen| seen.kind.word() == word)
                .count()
        };
        for (word, expected) in [("acquired", 1), ("released", 1)] {
            if count(word) != expected {
                self.violation(format!("{} x {word}: lease {id}", count(word)));
            }
        }
        if count("withdrawn") > 1 {
            self.violation(format!("withdrawn twice: lease {id}"));
        }
        let ordered = events
            .windows(2)
            .all(|pair| pair[0].time <= pair[1].time + CLOCKS);
        let begins = events
            .first()
            .is_some_and(|seen| seen.kind == Kind::Acquired);
        let ends = events
            .last()
            .is_some_and(|seen| seen.kind == Kind::Released);
        if !(ordered && begins && ends) {
            self.violation(format!("a strange order of events: {events:?}"));
        }
        for over in events.iter().filter(|seen| seen.kind == Kind::Over) {
            let begun = events
                .iter()
                .any(|seen| seen.is_break() && seen.breaker == over.breaker);
            if !begun {
                self.violation(format!("over without a break: {over:?}"));
            }
        }
        for seen in events.iter().filter(|seen| seen.is_break()) {
            let grace = held.terms.grace + CLOCKS;
            let late = seen.deadline().is_some_and(|due| due > seen.time + grace);
            let has_deadline = held.terms.policy != Policy::Block;
            if late || has_deadline != seen.deadline().is_some() {
                self.violation(format!("a wrong deadline, grace {grace:?}: {seen:?}"));
            }
        }
    }

    /// Who died had to.
    fn deaths(&mut self) {
        for (number, actor) in self.history.actors.iter().enumerate() {
            if !actor.by_sigkill || actor.killed.is_some() {
                continue;
            }
            let mut leases = self.facts.leases.iter();
            let reason = leases.find(|held| {
                held.actor == number
                    && held.terms.policy == Policy::Kill
                    && held.withdrawn.is_some_and(|at| at <= actor.gone)
            });
            if reason.is_none() {
                self.violation(format!("actor {number} was killed without a reason"));
            }
        }
    }

    /// Every break has its operation.
    fn breaks(&mut self) {
        for seen in &self.history.watched {
            if !matches!(seen.kind, Kind::Break { .. } | Kind::Refused) {
                continue;
            }
            let known = self.facts.operations.iter().any(|operation| {
                operation.is_told_by(seen)
                    && in_pages(seen, &operation.touched())
                    && word(operation) == seen.operation.as_deref()
            });
            if !known {
                self.violation(format!("nobody did this: {seen:?}"));
            }
        }
    }

    /// Holders read what the watch says, in the same order.
    fn readers(&mut self) {
        for record in &self.history.records {
            let What::Event(seen) = &record.what else {
                continue;
            };
            if !self.history.watched.contains(seen) {
                self.violation(format!("only its holder was told: {seen:?}"));
            }
        }
    }

    /// What holders are refused has a reason, too.
    fn failures(&mut self) {
        for (actor, time, action, errno) in &self.facts.failures {
            let held = self.facts.leases.iter().find(|held| {
                let mut spans = held.possible.iter();
                held.actor == *actor && spans.any(|span| span.meets(time.start, time.end))
            });
            let file = match (action, held) {
                (Action::Acquire(terms), _) => Some(terms.file),
                (_, Some(held)) => Some(held.terms.file),
                _ => None,
            };
            let withdrawn = held.is_some_and(|held| held.withdrawn.is_some());
            let explained = match errno {
                Errno::EAGAIN => self.is_disturbed(file, time.start, time.end),
                Errno::ENODEV => withdrawn,
                // The file is shorter for a moment.
                Errno::ENXIO | Errno::EFAULT => self.is_cut(file),
                Errno::EBUSY => matches!(action, Action::Shrink(_)),
                // A pin that is withdrawn is no pin.
                Errno::ENOENT => withdrawn && matches!(action, Action::Unpin),
                _ => false,
            };
            if !explained {
                self.violations.push(format!(
                    "{errno:?} without a reason: actor {actor}, {action:?}"
                ));
            }
        }
    }

    fn is_disturbed(&self, file: Option<usize>, from: Duration, to: Duration) -> bool {
        self.facts.operations.iter().any(|operation| {
            Some(operation.attempt.file) == file && operation.begin <= to && from <= operation.over
        })
    }

    fn is_cut(&self, file: Option<usize>) -> bool {
        self.facts.operations.iter().any(|operation| {
            Some(operation.attempt.file) == file && operation.attempt.means == Means::Truncate
        })
    }
}

/// Whether an event's range has some of these pages.
fn in_pages(seen: &Seen, pages: &std::ops::Range<u64>) -> bool {
    let page = crate::support::page_size() as u64;
    let first = seen.offset / page;
    let end = seen.offset.saturating_add(seen.length).div_ceil(page);
    overlap(&(first..end), pages)
}

/// Whether the holder was told of it when it came before: once is enough.
fn came_before(operation: &Operation, seen: &Seen) -> bool {
    let page = crate::support::page_size() as u64;
    operation.attempt.nonblock
        && seen.pid == Some(operation.pid)
        && seen.time <= operation.begin
        && seen.offset == operation.touched().start * page
        && word(operation) == seen.operation.as_deref()
}

/// As events call it.
fn word(operation: &Operation) -> Option<&'static str> {
    Some(match operation.attempt.means {
        Means::Punch => "punch-hole",
        Means::Zero => "zero-range",
        Means::Write => "direct-write",
        Means::Truncate => "truncate",
    })
}
