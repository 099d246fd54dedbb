// SPDX-License-Identifier: GPL-2.0
//! `pinlease run`: what the program that it becomes finds, what others see of
//! it, and why it does not become one.  That such a program can pin is told by
//! the suite `consumers`.

mod inherited;
mod leases;
mod refused;
mod status;

use std::process::Command;

use anyhow::Result;

use super::command::common;
use crate::harness::{Context, Test};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("run.status", status::passes),
    Test::new("run.not-executed", status::not_executed),
    Test::new("run.usage", status::usage),
    Test::new("run.descriptors", inherited::descriptors),
    Test::new("run.signals", inherited::signals),
    Test::new("run.ls", leases::listed),
    Test::new("run.kill", leases::kill),
    Test::new("run.block", leases::block),
    Test::new("run.refuse", leases::refuse),
    Test::new("run.no-file", refused::files),
    Test::new("run.no-range", refused::ranges),
    Test::new("run.no-filesystem", refused::filesystems),
    Test::new("run.no-right", refused::rights),
    Test::new("run.no-peace", refused::under_way),
    Test::new("run.no-quota", refused::quota),
    Test::new("run.no-module", refused::unloaded),
];

/// `pinlease run`, with these options and this program.
fn become_program(context: &Context, options: &[&str], program: &[&str]) -> Result<Command> {
    common::pinlease(context, &[&["run"], options, &["--"], program].concat())
}
