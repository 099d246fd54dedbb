// SPDX-License-Identifier: GPL-2.0
//! Runs a sequence against the model.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    call::{Call, Outcome},
    coverage::{Edges, Recorder},
    model::{Effect, Model, Plan},
    operation::{Actor, Sequence, Step},
    tally::Tally,
    world::World,
};

/// How long what is in a breaker's way for a moment may be there: a tick that looks at a pin while it
/// ends, for instance.
const MOMENT: Duration = Duration::from_secs(3);

/// One step in so many is timed.
const TIMED: usize = 16;

/// Where steps come from.
pub trait Steps {
    /// The next one; `None`: the sequence ends.
    fn next(&mut self, model: &Model) -> Option<Step>;
}

/// Those of a sequence.
impl<I: Iterator<Item = Step>> Steps for I {
    fn next(&mut self, _: &Model) -> Option<Step> {
        Iterator::next(self)
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Run {
    /// The steps that meant something.
    pub sequence: Sequence,
    /// What is wrong, if anything.
    pub finding: Option<String>,
    /// Edges that were never reached before.
    pub new_edges: usize,
}

/// Runs `steps`, from nothing to nothing; each is told to `tally` before it is done.
///
/// # Errors
///
/// The test itself is broken.
pub fn run(
    world: &mut World,
    mut steps: impl Steps,
    tally: &impl Tally,
    coverage: Option<(&Recorder, &Edges)>,
) -> Result<Run> {
    let mut model = world.model();
    let mut run = Run::default();
    if let Some((recorder, _)) = coverage {
        recorder.begin()?;
    }
    while let Some(step) = steps.next(&model) {
        let Some(plan) = model.plan(step) else {
            continue;
        };
        tally.begins(step);
        run.sequence.0.push(step);
        // Asking for the time takes some itself.
        let begin = (run.sequence.0.len() % TIMED == 0).then(Instant::now);
        let done = act(world, &mut model, step, plan)?;
        if let Some(begin) = begin {
            tally.took(step, begin.elapsed());
        }
        match done {
            Done::Changed => tally.changed(step),
            Done::Same => (),
            Done::Refused => tally.refused(),
            Done::Wrong(finding) => {
                run.finding = Some(finding);
                break;
            }
        }
    }
    let cleaned = world.clean(&model);
    if let Some((recorder, edges)) = coverage {
        run.new_edges = recorder.end(edges)?;
    }
    if let Err(error) = cleaned {
        run.finding.get_or_insert(format!("{error:#}"));
    }
    Ok(run)
}

/// What became of a step.
enum Done {
    Changed,
    Same,
    Refused,
    Wrong(String),
}

fn act(world: &mut World, model: &mut Model, step: Step, plan: Plan) -> Result<Done> {
    let Step(actor, operation) = step;
    let outcome = execute(world, actor, &plan)?;
    if !plan.expected.allows(&outcome) {
        return Ok(Done::Wrong(format!(
            "{operation:?} of {actor:?}: {}, expected {}; {:?}",
            outcome.name(),
            plan.expected,
            plan.call
        )));
    }
    Ok(match model.done(actor, plan.effect, &outcome) {
        Err(wrong) => Done::Wrong(format!("{operation:?} of {actor:?}: {wrong}")),
        Ok(true) => Done::Changed,
        Ok(false) if outcome.succeeded() => Done::Same,
        Ok(false) => Done::Refused,
    })
}

/// A breaker that meets what only passes by tries again.
fn execute(world: &mut World, actor: Actor, plan: &Plan) -> Result<Outcome> {
    let begin = Instant::now();
    loop {
        let outcome = world.execute(actor, &plan.call)?;
        let may_pass_by = matches!(plan.effect, Effect::Broke(_) | Effect::Extended(_))
            && plan.expected.may_succeed()
            && matches!(outcome.errno, libc::EAGAIN | libc::EINTR);
        if plan.expected.allows(&outcome) || !may_pass_by || begin.elapsed() > MOMENT {
            return Ok(outcome);
        }
        debug_assert!(!matches!(plan.call, Call::Clean { .. }));
        thread::sleep(Duration::from_millis(5));
    }
}
