// SPDX-License-Identifier: GPL-2.0
//! The tracers of ftrace, by trace-cmd.

use anyhow::Result;

use super::{Begin, Neighbour, FUNCTION};
use crate::{harness::Context, support::command::output};

/// Dropping it resets all tracing.
struct Tracer;

/// The function tracer.
pub(super) fn function(_: &Context) -> Result<Begin> {
    begin(&["start", "-p", "function", "-l", FUNCTION])
}

/// The graph tracer, which also catches the return: of the function, and of what
/// it calls.
pub(super) fn graph(_: &Context) -> Result<Begin> {
    begin(&["start", "-p", "function_graph", "-g", FUNCTION])
}

fn begin(arguments: &[&str]) -> Result<Begin> {
    match output("trace-cmd", arguments) {
        Ok(_) => Ok(Begin::Runs(Box::new(Tracer))),
        Err(error) if error.is::<crate::harness::Skip>() => Err(error),
        Err(error) => Ok(Begin::Refused(format!("{error:#}"))),
    }
}

impl Neighbour for Tracer {
    fn hits(&mut self, _: &Context) -> Result<Option<u64>> {
        let text = output("trace-cmd", &["show"])?;
        let lines = text.lines().filter(|line| line.contains(FUNCTION));
        Ok(Some(lines.count() as u64))
    }

    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = output("trace-cmd", &["reset"]);
    }
}
