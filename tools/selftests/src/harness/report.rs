// SPDX-License-Identifier: GPL-2.0
//! Results, as KTAP for people and kselftest tools, or as JSON lines for the
//! host's runner.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Side;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Kernel test anything protocol.
    #[default]
    Ktap,
    /// One [`Event`] a line.
    Json,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What it asserts holds.
    Passed,
    /// It does not.
    Failed,
    /// It cannot be checked here.
    Skipped,
}

/// What the runner reports.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// At the beginning.
    Plan {
        /// How many results will follow.
        tests: usize,
    },
    /// A test ended.
    Result {
        /// Its name.
        test: String,
        /// How it pinned.
        side: Side,
        /// How it ended.
        outcome: Outcome,
        /// Why it was skipped; else empty.
        reason: String,
        /// What it printed.
        output: Vec<String>,
        /// How long it took.
        seconds: f64,
    },
}

/// Prints events and remembers the sum.
#[derive(Debug)]
pub struct Reporter<W> {
    out: W,
    format: Format,
    number: usize,
    passed: usize,
    failed: usize,
}

impl<W: Write> Reporter<W> {
    /// Reports to `out`.
    pub fn new(out: W, format: Format) -> Self {
        Self {
            out,
            format,
            number: 0,
            passed: 0,
            failed: 0,
        }
    }

    /// Prints one event.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        if let Event::Result { outcome, .. } = event {
            self.number += 1;
            match outcome {
                Outcome::Passed => self.passed += 1,
                Outcome::Failed => self.failed += 1,
                Outcome::Skipped => {}
            }
        }
        match self.format {
            Format::Ktap => self.ktap(event)?,
            Format::Json => {
                serde_json::to_writer(&mut self.out, event)?;
                writeln!(self.out)?;
            }
        }
        self.out.flush()
    }

    fn ktap(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Plan { tests } => writeln!(self.out, "KTAP version 1\n1..{tests}"),
            Event::Result {
                test,
                side,
                outcome,
                reason,
                output,
                ..
            } => {
                for line in output {
                    writeln!(self.out, "# {line}")?;
                }
                let number = self.number;
                let test = format!("{}:{test}", side.name());
                match outcome {
                    Outcome::Passed => writeln!(self.out, "ok {number} {test}"),
                    Outcome::Failed => writeln!(self.out, "not ok {number} {test}"),
                    Outcome::Skipped => writeln!(self.out, "ok {number} {test} # SKIP {reason}"),
                }
            }
        }
    }

    /// kselftest's exit status: 1 when a test failed, 4 when all were skipped.
    pub fn status(&self) -> u8 {
        match (self.failed, self.passed) {
            (1.., _) => 1,
            (0, 0) => 4,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(test: &str, outcome: Outcome, reason: &str, output: &[&str]) -> Event {
        Event::Result {
            test: test.into(),
            side: Side::Stock,
            outcome,
            reason: reason.into(),
            output: output.iter().map(ToString::to_string).collect(),
            seconds: 0.5,
        }
    }

    #[test]
    fn ktap() {
        let mut out = Vec::new();
        let mut reporter = Reporter::new(&mut out, Format::Ktap);
        reporter.event(&Event::Plan { tests: 3 }).unwrap();
        reporter
            .event(&result("a.b", Outcome::Skipped, "no disk", &[]))
            .unwrap();
        assert_eq!(reporter.status(), 4);
        reporter
            .event(&result("a.c", Outcome::Passed, "", &[]))
            .unwrap();
        assert_eq!(reporter.status(), 0);
        reporter
            .event(&result("a.d", Outcome::Failed, "", &["why"]))
            .unwrap();
        assert_eq!(reporter.status(), 1);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "KTAP version 1\n1..3\nok 1 stock:a.b # SKIP no disk\nok 2 stock:a.c\n# why\nnot ok 3 stock:a.d\n"
        );
    }

    #[test]
    fn json_reads_back() {
        let event = result("a.b", Outcome::Failed, "", &["x \"y\""]);
        let mut out = Vec::new();
        Reporter::new(&mut out, Format::Json).event(&event).unwrap();
        assert_eq!(serde_json::from_slice::<Event>(&out).unwrap(), event);
    }
}
