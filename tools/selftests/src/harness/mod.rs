// SPDX-License-Identifier: GPL-2.0
//! Runs tests and reports them as KTAP or as JSON lines.

mod context;
mod report;
mod runner;
mod test;

pub use context::{Context, Side};
pub use report::{Event, Format, Outcome, Reporter};
pub use runner::{run, CHILD_VARIABLE};
pub use test::{skip, Skip, Test, TestResult};
