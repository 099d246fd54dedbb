// SPDX-License-Identifier: GPL-2.0
//! Probes that tracefs makes: `dynamic_events`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{Begin, Neighbour, FUNCTION};
use crate::harness::Context;

const TRACING: &str = "/sys/kernel/tracing";
const GROUP: &str = "neighbours";

/// A probe of its own, and a buffer of its own; dropping it removes both.
struct Probe {
    name: String,
    buffer: PathBuf,
}

/// At the function's entry.
pub(super) fn entry(_: &Context) -> Result<Begin> {
    begin('p')
}

/// At its exit.
pub(super) fn exit(_: &Context) -> Result<Begin> {
    begin('r')
}

/// At its entry, by fprobe.
pub(super) fn fprobe(_: &Context) -> Result<Begin> {
    begin('f')
}

fn begin(kind: char) -> Result<Begin> {
    let name = format!("{GROUP}/{kind}");
    let buffer = Path::new(TRACING).join("instances").join(GROUP);
    append(&format!("{kind}:{name} {FUNCTION}"))?;
    fs::create_dir(&buffer).context("a trace buffer")?;
    let probe = Probe { name, buffer };
    match probe.enable(true) {
        Ok(()) => Ok(Begin::Runs(Box::new(probe))),
        Err(error) => Ok(Begin::Refused(format!("{error:#}"))),
    }
}

fn append(line: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .append(true)
        .open(Path::new(TRACING).join("dynamic_events"))?;
    writeln!(file, "{line}").with_context(|| format!("dynamic event {line}"))
}

impl Probe {
    fn enable(&self, on: bool) -> Result<()> {
        let path = self.buffer.join("events").join(&self.name).join("enable");
        fs::write(path, if on { "1" } else { "0" }).context("enabling the probe")
    }
}

impl Neighbour for Probe {
    fn hits(&mut self, _: &Context) -> Result<Option<u64>> {
        let text = fs::read_to_string(self.buffer.join("trace"))?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Ok(Some(lines.count() as u64))
    }

    fn end(self: Box<Self>) -> Result<()> {
        self.enable(false)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.enable(false);
        let _ = fs::remove_dir(&self.buffer);
        let _ = append(&format!("-:{}", self.name));
    }
}
