// SPDX-License-Identifier: GPL-2.0
//! What can be said for sure, and what is possible, from times before and after
//! each call.

use std::{ops::Range, time::Duration};

use nix::errno::Errno;

use super::history::{Action, Attempt, History, Means, Terms, What};
use super::plan::PAGES;
use crate::support::{Kind, Seen};

/// A time in which something covers pages.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
    pub pages: Range<u64>,
}

/// A call that may answer a break.
#[derive(Clone, Debug)]
pub struct Answer {
    pub begin: Duration,
    pub end: Duration,
    pub action: Action,
    pub succeeded: bool,
}

/// A lease.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: u64,
    pub actor: usize,
    pub terms: Terms,
    /// When it was held for sure, with what it covered then for sure.
    pub sure: Vec<Span>,
    /// When it may have been held, with all that it may have covered.
    pub possible: Vec<Span>,
    /// When its pins were held for sure.
    pub pins: Vec<Span>,
    pub answers: Vec<Answer>,
    pub withdrawn: Option<Duration>,
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation {
    pub actor: usize,
    pub pid: i32,
    pub attempt: Attempt,
    pub begin: Duration,
    /// With its result; `None`: its process died in it.
    pub end: Option<(Duration, nix::Result<()>)>,
    /// When its process was gone, at the latest when it had returned.
    pub over: Duration,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Facts {
    pub leases: Vec<Held>,
    pub operations: Vec<Operation>,
    /// Other calls that failed: who, when, what, how.
    pub failures: Vec<(usize, Range<Duration>, Action, Errno)>,
}

pub fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

impl Span {
    /// Whether it has a common time with `[from, to]`.
    pub fn meets(&self, from: Duration, to: Duration) -> bool {
        self.from <= to && from <= self.to
    }

    /// Whether it lasts from `from` to `to`.
    pub fn covers(&self, from: Duration, to: Duration) -> bool {
        self.from <= from && to <= self.to
    }
}

impl Operation {
    /// Pages that it touches.
    pub fn touched(&self) -> Range<u64> {
        match self.attempt.means {
            Means::Truncate => self.attempt.pages.start..PAGES,
            _ => self.attempt.pages.clone(),
        }
    }

    /// Whether an event is of this operation.
    pub fn is_told_by(&self, seen: &Seen) -> bool {
        seen.pid == Some(self.pid) && self.begin <= seen.time && seen.time <= self.over
    }
}

impl Held {
    /// Whether it may have covered some of `pages` of `file` in that time.
    pub fn may_meet(&self, operation: &Operation, to: Duration) -> bool {
        self.terms.file == operation.attempt.file
            && self.possible.iter().any(|span| {
                span.meets(operation.begin, to) && overlap(&span.pages, &operation.touched())
            })
    }

    /// Whether it covered some of the operation's pages all the time.
    pub fn surely_meets(&self, operation: &Operation, to: Duration) -> bool {
        self.terms.file == operation.attempt.file
            && self.sure.iter().any(|span| {
                span.covers(operation.begin, to) && overlap(&span.pages, &operation.touched())
            })
    }

    /// Whether its holder may have answered in that time.
    pub fn may_have_answered(&self, from: Duration, to: Duration) -> bool {
        let mut answers = self.answers.iter();
        answers.any(|answer| answer.begin <= to && from <= answer.end)
    }
}

impl Facts {
    /// Works them out.
    pub fn of(history: &History) -> Self {
        let mut facts = Self::default();
        for (actor, known) in history.actors.iter().enumerate() {
            let mut reader = Reader {
                facts: &mut facts,
                history,
                actor,
                begun: None,
                lease: None,
                pin: None,
            };
            for record in history
                .records
                .iter()
                .filter(|record| record.actor == actor)
            {
                match &record.what {
                    What::Begin(action) => reader.begin(record.at, action),
                    What::End { errno, lease } => reader.end(record.at, *errno, *lease),
                    What::Event(_) => {}
                }
            }
            reader.gone(known.killed, known.gone);
        }
        facts
    }
}

/// Reads the log of one process.
struct Reader<'a> {
    facts: &'a mut Facts,
    history: &'a History,
    actor: usize,
    /// What it is doing.
    begun: Option<(Duration, Action)>,
    /// Index of its lease.
    lease: Option<usize>,
    /// Since when it surely has which pin.
    pin: Option<(Duration, Range<u64>)>,
}

const EVER: Duration = Duration::MAX;

impl Reader<'_> {
    fn begin(&mut self, at: Duration, action: &Action) {
        match action {
            Action::Unpin => self.end_pin(at),
            // What is given back is not sure any more.
            Action::Shrink(pages) => self.narrow(at, pages),
            Action::Close | Action::Exit => {
                self.end_pin(at);
                self.end_sure(at);
            }
            _ => {}
        }
        self.begun = Some((at, action.clone()));
    }

    fn end(&mut self, at: Duration, errno: i32, lease: u64) {
        let Some((begin, action)) = self.begun.take() else {
            return;
        };
        let succeeded = errno == 0;
        if !succeeded && !matches!(action, Action::Break(_)) {
            let failure = (
                self.actor,
                begin..at,
                action.clone(),
                Errno::from_raw(errno),
            );
            self.facts.failures.push(failure);
        }
        match &action {
            Action::Acquire(terms) if succeeded => self.acquired(begin, at, terms, lease),
            Action::Pin(pages) if succeeded => self.pin = Some((at, pages.clone())),
            Action::Unpin | Action::Close => self.answered(begin, at, &action, succeeded),
            Action::Shrink(pages) => {
                self.answered(begin, at, &action, succeeded);
                self.shrunk(begin, at, pages, succeeded);
            }
            Action::Break(attempt) => {
                let result = if succeeded {
                    Ok(())
                } else {
                    Err(Errno::from_raw(errno))
                };
                self.operation(begin, attempt, Some((at, result)), at);
            }
            _ => {}
        }
        if matches!(action, Action::Close) {
            self.end_possible(at);
            self.lease = None;
        }
    }

    /// The process is gone; what it was doing is half done.
    fn gone(&mut self, killed: Option<Duration>, gone: Duration) {
        let death = killed.unwrap_or(gone);
        if let Some((begin, action)) = self.begun.take() {
            match &action {
                Action::Break(attempt) => self.operation(begin, attempt, None, gone),
                Action::Acquire(terms) => {
                    if let Some(id) = self.unknown_lease(begin, gone, terms) {
                        self.acquired(begin, gone, terms, id);
                    }
                }
                Action::Exit => {}
                other => self.answered(begin, gone, other, true),
            }
        }
        self.end_pin(death);
        self.end_sure(death);
        self.answered(death, gone, &Action::Exit, true);
        self.end_possible(gone);
    }

    fn held(&mut self) -> Option<&mut Held> {
        self.facts.leases.get_mut(self.lease?)
    }

    fn acquired(&mut self, begin: Duration, at: Duration, terms: &Terms, id: u64) {
        let mut of_it = self.history.watched.iter().filter(|seen| seen.lease == id);
        let withdrawn = of_it.find(|seen| seen.kind == Kind::Withdrawn);
        let span = |from| Span {
            from,
            to: EVER,
            pages: terms.pages.clone(),
        };
        self.lease = Some(self.facts.leases.len());
        self.facts.leases.push(Held {
            id,
            actor: self.actor,
            terms: terms.clone(),
            sure: vec![span(at)],
            possible: vec![span(begin)],
            pins: Vec::new(),
            answers: Vec::new(),
            withdrawn: withdrawn.map(|seen| seen.time),
        });
    }

    /// The lease of who died before he could say that he has it.
    fn unknown_lease(&self, begin: Duration, gone: Duration, terms: &Terms) -> Option<u64> {
        let page = crate::support::page_size() as u64;
        let told = |id| {
            let mut records = self.history.records.iter();
            records.any(|record| matches!(record.what, What::End { lease, .. } if lease == id))
        };
        let mut acquired = self.history.watched.iter().filter(|seen| {
            seen.kind == Kind::Acquired
                && (begin..=gone).contains(&seen.time)
                && seen.offset == terms.pages.start * page
                && seen.length == (terms.pages.end - terms.pages.start) * page
        });
        let known = |id| self.facts.leases.iter().any(|held| held.id == id);
        let found = acquired.find(|seen| !told(seen.lease) && !known(seen.lease))?;
        Some(found.lease)
    }

    fn end_pin(&mut self, at: Duration) {
        let pin = self.pin.take();
        if let (Some((from, pages)), Some(held)) = (pin, self.held()) {
            let to = held.withdrawn.map_or(at, |withdrawn| at.min(withdrawn));
            held.pins.push(Span { from, to, pages });
        }
    }

    fn end_sure(&mut self, at: Duration) {
        if let Some(held) = self.held() {
            let to = held.withdrawn.map_or(at, |withdrawn| at.min(withdrawn));
            if let Some(last) = held.sure.last_mut() {
                last.to = last.to.min(to);
            }
        }
    }

    fn end_possible(&mut self, at: Duration) {
        let released = self.held().map(|held| held.id).and_then(|id| {
            let mut events = self.history.watched.iter();
            events.find(|seen| seen.lease == id && seen.kind == Kind::Released)
        });
        let to = released.map_or(at, |seen| seen.time.max(at));
        if let Some(last) = self.held().and_then(|held| held.possible.last_mut()) {
            last.to = to;
        }
    }

    /// From now on only these pages are sure.
    fn narrow(&mut self, at: Duration, pages: &Range<u64>) {
        if let Some(held) = self.held() {
            if let Some(last) = held.sure.last_mut() {
                last.to = at;
            }
            let span = Span {
                from: at,
                to: EVER,
                pages: pages.clone(),
            };
            held.sure.push(span);
        }
    }

    /// A shrink that failed has changed nothing.
    fn shrunk(&mut self, begin: Duration, at: Duration, pages: &Range<u64>, succeeded: bool) {
        let Some(held) = self.held() else {
            return;
        };
        if succeeded {
            if let Some(last) = held.possible.last_mut() {
                last.to = at;
            }
            let span = Span {
                from: begin,
                to: EVER,
                pages: pages.clone(),
            };
            held.possible.push(span);
        } else {
            held.sure.pop();
            if let Some(last) = held.sure.last_mut() {
                last.to = held.withdrawn.unwrap_or(EVER);
            }
        }
    }

    fn answered(&mut self, begin: Duration, end: Duration, action: &Action, succeeded: bool) {
        let answer = Answer {
            begin,
            end,
            action: action.clone(),
            succeeded,
        };
        if let Some(held) = self.held() {
            held.answers.push(answer);
        }
    }

    fn operation(
        &mut self,
        begin: Duration,
        attempt: &Attempt,
        end: Option<(Duration, nix::Result<()>)>,
        over: Duration,
    ) {
        self.facts.operations.push(Operation {
            actor: self.actor,
            pid: self.history.actors[self.actor].pid,
            attempt: attempt.clone(),
            begin,
            end,
            over,
        });
    }
}
