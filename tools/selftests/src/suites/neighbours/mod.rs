// SPDX-License-Identifier: GPL-2.0
//! Scenario 24: others attach themselves to the functions that pinlease hooks,
//! before the first lease and while there is one.
//!
//! Each combination coexists, or one of the two is refused and says so. In each,
//! scenario 1 runs: what a device writes after the page was cleaned is on the
//! disk after the next fsync.

mod bpftrace;
mod knob;
mod livepatch;
mod perf;
mod probe_events;
mod quiesce;
mod trace_cmd;

use std::time::Duration;

use anyhow::{bail, ensure, Context as _, Result};
use pinlease::AcquireError;

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        proc::{hooked_functions, wait_for},
        Fill, Requirement, Rig, RigOptions,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("neighbours.kprobe-event", |cx| {
        beside(cx, probe_events::entry, COEXIST)
    }),
    Test::new("neighbours.kretprobe-event", |cx| {
        beside(cx, probe_events::exit, COEXIST)
    }),
    Test::new("neighbours.fprobe-event", |cx| {
        beside(cx, probe_events::fprobe, COEXIST)
    }),
    Test::new("neighbours.perf-probe", |cx| {
        beside(cx, perf::probe, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.trace-cmd-function", |cx| {
        beside(cx, trace_cmd::function, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.trace-cmd-graph", |cx| {
        beside(cx, trace_cmd::graph, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.bpftrace-kprobe", |cx| {
        beside(cx, bpftrace::kprobe, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.bpftrace-fentry", |cx| {
        beside(cx, bpftrace::fentry, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.bpftrace-fexit", |cx| {
        beside(cx, bpftrace::fexit, COEXIST)
    })
    .seconds(300),
    Test::new("neighbours.livepatch", |cx| {
        beside(cx, livepatch::livepatch, EXCLUDE)
    })
    .seconds(300),
    Test::new("neighbours.quiesce", quiesce::lets_a_livepatch_in).seconds(300),
    Test::new("neighbours.quiesce-rights", quiesce::rights),
    Test::new("neighbours.ftrace-enabled", knob::ftrace_enabled),
];

/// The function that most of them attach themselves to: every fsync passes it.
const FUNCTION: &str = "folio_mkclean";

const PAGES: u64 = 16;
const LIMIT: Duration = Duration::from_secs(30);

/// What comes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Expected {
    /// Whether a lease can be had when the neighbour is there.
    lease: bool,
    /// Whether the neighbour can come when there is a lease.
    neighbour: bool,
}

const COEXIST: Expected = Expected {
    lease: true,
    neighbour: true,
};

/// Who comes first keeps the other out.
const EXCLUDE: Expected = Expected {
    lease: false,
    neighbour: false,
};

/// How a neighbour begins.
enum Begin {
    /// It is there.
    Runs(Box<dyn Neighbour>),
    /// It was refused, and said this.
    Refused(String),
}

/// Something that is attached to a hooked function.
trait Neighbour {
    /// What it saw of the function since it began; `None`: it does not look.
    fn hits(&mut self, context: &Context) -> Result<Option<u64>>;

    /// Takes it away.
    fn end(self: Box<Self>) -> Result<()>;
}

/// Both orders.
fn beside(
    context: &Context,
    begin: fn(&Context) -> Result<Begin>,
    expected: Expected,
) -> TestResult {
    context.load_modules()?;
    neighbour_first(context, begin, expected.lease).context("the neighbour was first")?;
    lease_first(context, begin, expected.neighbour).context("the lease was first")
}

fn neighbour_first(
    context: &Context,
    begin: fn(&Context) -> Result<Begin>,
    lease: bool,
) -> Result<()> {
    no_hooks()?;
    let mut neighbour = match begin(context)? {
        Begin::Runs(neighbour) => neighbour,
        Begin::Refused(why) => bail!("refused without any lease: {why}"),
    };
    match rig(context) {
        Ok(rig) => {
            ensure!(lease, "a lease was had");
            scenario(&rig, 1)?;
        }
        Err(error) => {
            ensure!(
                !lease && error.downcast_ref() == Some(&AcquireError::HookTaken),
                "no lease: {error:#}"
            );
            println!("the lease was refused: {error:#}");
            ensure!(hooked_functions()?.len() <= 1, "hooks are left");
        }
    }
    saw(&mut *neighbour, context)?;
    neighbour.end()?;
    // Nothing keeps leases out any more.
    scenario(&rig(context).context("afterwards")?, 1)
}

fn lease_first(
    context: &Context,
    begin: fn(&Context) -> Result<Begin>,
    neighbour: bool,
) -> Result<()> {
    no_hooks()?;
    let rig = rig(context)?;
    scenario(&rig, 1)?;
    match begin(context)? {
        Begin::Runs(mut runs) => {
            scenario(&rig, 3).context("with the neighbour")?;
            ensure!(neighbour, "the neighbour was not refused");
            saw(&mut *runs, context)?;
            runs.end()?;
            return scenario(&rig, 5).context("when it was gone");
        }
        Begin::Refused(why) => {
            ensure!(!neighbour, "the neighbour was refused: {why}");
            println!("the neighbour was refused: {why}");
            scenario(&rig, 3).context("with a neighbour that was refused")?;
        }
    }
    // Nothing keeps the neighbour out any more.
    drop(rig);
    no_hooks()?;
    match begin(context)? {
        Begin::Runs(mut runs) => {
            saw(&mut *runs, context)?;
            runs.end()
        }
        Begin::Refused(why) => bail!("refused after the last lease: {why}"),
    }
}

fn saw(neighbour: &mut dyn Neighbour, context: &Context) -> Result<()> {
    match neighbour.hits(context)? {
        Some(0) => bail!("the neighbour saw nothing"),
        Some(hits) => println!("the neighbour saw {hits} calls"),
        None => {}
    }
    Ok(())
}

fn rig(context: &Context) -> Result<Rig> {
    let options = RigOptions::new(context.side, PAGES, Fill::Faulted);
    options.build(&context.path("neighbours"))
}

/// Scenario 1, with this generation and the next.
fn scenario(rig: &Rig, generation: u64) -> Result<()> {
    for generation in [generation, generation + 1] {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
        rig.census(Requirement::Exactly(generation))?.all_kept()?;
    }
    Ok(())
}

/// Waits until the hooks of the last lease are gone.
fn no_hooks() -> Result<()> {
    wait_for("no function is redirected", LIMIT, || {
        Ok(hooked_functions()?.is_empty())
    })
    .map(drop)
}
