// SPDX-License-Identifier: GPL-2.0
//! The tracepoints fire.

use anyhow::ensure;

use crate::{
    harness::{Context, Test, TestResult},
    support::{tracer::Tracer, Fill, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::new("trace.events", events)];

const EVENTS: [&str; 7] = [
    "lease_acquire",
    "pin",
    "mkclean",
    "snapshot",
    "rearm",
    "unpin",
    "lease_release",
];

fn events(context: &Context) -> TestResult {
    context.load_modules()?;
    let mut tracer = Tracer::new("pinlease-selftest")?;
    for event in EVENTS {
        tracer.enable(&format!("pinlease/{event}"))?;
    }
    let options = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = options.build(&context.path("trace"))?;
    for generation in 1..=2 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
    }
    drop(rig.release()?);

    let text = tracer.text()?;
    let count = |event: &str| text.matches(&format!(" {event}: ")).count();
    for event in EVENTS {
        println!("{event}: {}", count(event));
    }
    let missing: Vec<_> = EVENTS
        .into_iter()
        .filter(|event| count(event) == 0)
        .collect();
    ensure!(
        missing.is_empty(),
        "tracepoints that did not fire: {missing:?}"
    );
    Ok(())
}
