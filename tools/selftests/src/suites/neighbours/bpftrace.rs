// SPDX-License-Identifier: GPL-2.0
//! BPF programs, by bpftrace.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::{Begin, Neighbour, FUNCTION};
use crate::{
    harness::{skip, Context},
    support::Program,
};

/// It compiles, under emulation.
const SLOW: Duration = Duration::from_secs(100);

/// What it says when it has attached its probes.
const ATTACHED: &str = "attached";

struct Script(Option<Program>);

/// A kprobe.
pub(super) fn kprobe(_: &Context) -> Result<Begin> {
    begin("kprobe")
}

/// A trampoline at the entry.
pub(super) fn fentry(_: &Context) -> Result<Begin> {
    begin("fentry:vmlinux")
}

/// One that calls the function, and looks at what it returns.
pub(super) fn fexit(_: &Context) -> Result<Begin> {
    begin("fexit:vmlinux")
}

fn begin(probe: &str) -> Result<Begin> {
    let script = format!(
        "{probe}:{FUNCTION} {{ @calls = count(); }} interval:s:1 {{ printf(\"{ATTACHED}\\n\"); }}"
    );
    let mut command = Command::new("bpftrace");
    let started = Program::start(command.args(["-B", "line", "-e", &script]));
    let Ok(mut program) = started else {
        return skip("needs the program bpftrace");
    };
    loop {
        match program.line_within(SLOW) {
            Ok(Some(line)) if line.contains(ATTACHED) => {
                return Ok(Begin::Runs(Box::new(Script(Some(program)))));
            }
            Ok(Some(_)) => {}
            Ok(None) => anyhow::bail!("bpftrace neither attached its probe nor ended"),
            Err(ended) => return Ok(Begin::Refused(format!("{ended:#}"))),
        }
    }
}

impl Neighbour for Script {
    fn hits(&mut self, _: &Context) -> Result<Option<u64>> {
        let program = self.0.take().context("ended already")?;
        program.signal(Signal::SIGINT)?;
        let (_, said) = program.everything(SLOW)?;
        let count = said.split_once("@calls:").and_then(|(_, rest)| {
            let word = rest.split_whitespace().next()?;
            word.parse().ok()
        });
        count.map(Some).context(said)
    }

    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
