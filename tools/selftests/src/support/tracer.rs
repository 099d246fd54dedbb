// SPDX-License-Identifier: GPL-2.0
//! A trace buffer of one's own, by tracefs.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

const INSTANCES: &str = "/sys/kernel/tracing/instances";

/// A trace buffer; dropping it removes it.
#[derive(Debug)]
pub struct Tracer {
    path: PathBuf,
    /// Such as `block/block_bio_queue`.
    events: Vec<String>,
}

/// A line of the trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traced<'a> {
    /// When, by the trace's clock.
    pub time: Duration,
    /// The event.
    pub event: &'a str,
    /// What its format prints.
    pub text: &'a str,
}

impl Tracer {
    /// A new buffer, with the clock that is `CLOCK_MONOTONIC` too.
    ///
    /// # Errors
    ///
    /// There is no tracefs, or another with this name is in use.
    pub fn new(name: &str) -> Result<Self> {
        let path = Path::new(INSTANCES).join(name);
        // What a killed test left.
        let _ = fs::remove_dir(&path);
        fs::create_dir(&path).context("new trace instance")?;
        let tracer = Self {
            path,
            events: Vec::new(),
        };
        tracer.write("trace_clock", "mono")?;
        Ok(tracer)
    }

    /// Records `event`, such as `block/block_bio_queue`.
    ///
    /// # Errors
    ///
    /// There is no such event.
    pub fn enable(&mut self, event: &str) -> Result<()> {
        self.write(&format!("events/{event}/enable"), "1")?;
        self.events.push(event.into());
        Ok(())
    }

    /// Records nothing any more.
    ///
    /// # Errors
    ///
    /// tracefs refuses.
    pub fn stop(&self) -> Result<()> {
        self.write("tracing_on", "0")
    }

    /// All that was recorded, the oldest first; [`parse`] reads it.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn text(&self) -> Result<String> {
        fs::read_to_string(self.path.join("trace")).context("reading the trace")
    }

    /// How many events there was no room for.
    ///
    /// # Errors
    ///
    /// tracefs does not tell.
    pub fn overrun(&self) -> Result<u64> {
        let mut lost = 0;
        for processor in fs::read_dir(self.path.join("per_cpu"))? {
            let stats = fs::read_to_string(processor?.path().join("stats"))?;
            let line = stats.lines().find_map(|line| line.strip_prefix("overrun:"));
            lost += line.context("no overrun in stats")?.trim().parse::<u64>()?;
        }
        Ok(lost)
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.path.join(file);
        fs::write(&path, value).with_context(|| format!("writing {value} to {}", path.display()))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        for event in &self.events {
            let _ = self.write(&format!("events/{event}/enable"), "0");
        }
        let _ = fs::remove_dir(&self.path);
    }
}

/// The names of the trace buffers that begin with `prefix`.
///
/// # Errors
///
/// There is no tracefs.
pub fn buffers(prefix: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(INSTANCES).context(INSTANCES)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>>>()?;
    names.retain(|name| name.starts_with(prefix));
    Ok(names)
}

/// The events of a trace; lines that are none are left out.
pub fn parse(trace: &str) -> impl Iterator<Item = Traced<'_>> {
    trace
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse_line)
}

/// A line such as `  sh-7  [000] d..1.    12.345678: snapshot: dev 254:0 ...`.
fn parse_line(line: &str) -> Option<Traced<'_>> {
    // The task's name may have anything in it, but not what follows it.
    let (_, rest) = line.split_once("] ")?;
    let (_, rest) = rest.trim_start().split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(": ")?;
    let (event, text) = rest.split_once(": ")?;
    let (seconds, micros) = time.split_once('.')?;
    let time = Duration::from_secs(seconds.parse().ok()?)
        + Duration::from_micros((micros.len() == 6).then(|| micros.parse().ok())??);
    Some(Traced { time, event, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_trace() {
        let trace = "\
# tracer: nop
   kworker/u4:1-31      [001] d..1.    12.000345: block_bio_queue: 254,0 W 2048 + 8 [kworker/u4:1]
            a b-7       [000] .....  3456.789012: snapshot: dev 254:0 ino 12 sector 8 pages 1 copied 1
CPU:0 [LOST 12 EVENTS]
";
        let found: Vec<_> = parse(trace).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].time, Duration::from_micros(12_000_345));
        assert_eq!(found[0].event, "block_bio_queue");
        assert_eq!(found[0].text, "254,0 W 2048 + 8 [kworker/u4:1]");
        assert_eq!(found[1].time, Duration::from_micros(3_456_789_012));
        assert!(found[1].text.ends_with("copied 1"));
    }
}
