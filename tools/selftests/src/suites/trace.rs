// SPDX-License-Identifier: GPL-2.0
//! The tracepoints fire.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context as _, Result};

use crate::{
    harness::{Context, Test, TestResult},
    support::{Fill, RigOptions},
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

/// A trace buffer of our own; dropping it removes it.
struct Instance(PathBuf);

impl Instance {
    fn new() -> Result<Self> {
        let path = Path::new("/sys/kernel/tracing/instances/pinlease-selftest");
        let _ = fs::remove_dir(path);
        fs::create_dir(path).context("new trace instance")?;
        Ok(Self(path.into()))
    }

    fn enable(&self, event: &str, on: bool) -> Result<()> {
        let path = self.0.join("events/pinlease").join(event).join("enable");
        fs::write(&path, if on { "1" } else { "0" })
            .with_context(|| format!("tracepoint pinlease:{event}"))
    }

    fn text(&self) -> Result<String> {
        fs::read_to_string(self.0.join("trace")).context("reading the trace")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for event in EVENTS {
            let _ = self.enable(event, false);
        }
        let _ = fs::remove_dir(&self.0);
    }
}

fn events(context: &Context) -> TestResult {
    context.load_modules()?;
    let instance = Instance::new()?;
    for event in EVENTS {
        instance.enable(event, true)?;
    }
    let options = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = options.build(&context.path("trace"))?;
    for generation in 1..=2 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
    }
    drop(rig.release()?);

    let text = instance.text()?;
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
