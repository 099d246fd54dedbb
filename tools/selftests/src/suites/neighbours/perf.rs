// SPDX-License-Identifier: GPL-2.0
//! `perf probe`, counted by `perf stat`.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::{Begin, Neighbour, FUNCTION, LIMIT};
use crate::{
    harness::Context,
    support::{command::output, proc::wait_for, Program},
};

const EVENT: &str = "probe:folio_mkclean";

struct Stat(Option<Program>);

/// A probe at the function's entry.
pub(super) fn probe(_: &Context) -> Result<Begin> {
    output("perf", &["probe", "--quiet", "--add", FUNCTION])?;
    let enabled = format!("/sys/kernel/tracing/events/{}/id", EVENT.replace(':', "/"));
    std::fs::metadata(&enabled).context(enabled)?;
    let mut command = Command::new("perf");
    command.args(["stat", "-x,", "-a", "-e", EVENT]);
    let mut stat = Stat(Some(Program::start(&mut command)?));
    // It counts from when the function is traced.
    let mut ended = false;
    wait_for("perf counts", LIMIT, || {
        ended = stat
            .0
            .as_mut()
            .is_some_and(|stat| stat.has_ended().unwrap_or(true));
        let traced = std::fs::read_to_string("/sys/kernel/debug/kprobes/list")?;
        let counts = |line: &str| line.contains(FUNCTION) && !line.contains("[DISABLED]");
        Ok(ended || traced.lines().any(counts))
    })?;
    if ended {
        let said = stat.take(Duration::ZERO)?;
        return Ok(Begin::Refused(said));
    }
    // The probe is there from the first processor's event on; the others' follow.
    std::thread::sleep(Duration::from_secs(3));
    Ok(Begin::Runs(Box::new(stat)))
}

impl Stat {
    /// What it says in the end.
    fn take(&mut self, limit: Duration) -> Result<String> {
        let stat = self.0.take().context("ended already")?;
        Ok(stat.everything(limit)?.1)
    }
}

impl Neighbour for Stat {
    fn hits(&mut self, _: &Context) -> Result<Option<u64>> {
        if let Some(stat) = &self.0 {
            stat.signal(Signal::SIGINT)?;
        }
        let said = self.take(LIMIT)?;
        let line = said.lines().find(|line| line.contains(EVENT));
        let count = line.and_then(|line| line.split(',').next()?.parse().ok());
        count.map(Some).context(said)
    }

    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for Stat {
    fn drop(&mut self) {
        // The probe can only go when nobody counts it.
        self.0 = None;
        let _ = output("perf", &["probe", "--quiet", "--del", FUNCTION]);
    }
}
