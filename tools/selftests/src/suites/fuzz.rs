// SPDX-License-Identifier: GPL-2.0
//! The fuzzer in short: the sequences that once found something, and some new ones.

use std::process::Command;

use anyhow::{ensure, Context as _};

use crate::harness::{skip, Context, Test, TestResult};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("fuzz.corpus", corpus),
    Test::new("fuzz.chance", chance),
];

/// Seconds of new sequences; `make fuzz` goes on for longer.
const SECONDS: &str = "8";

/// What was found once, and repaired, does not come back.
fn corpus(context: &Context) -> TestResult {
    let folder = context.fuzzer.with_file_name("corpus");
    fuzz(context, |command| command.arg("replay").arg(folder))
}

/// Nothing is found in a few seconds.
fn chance(context: &Context) -> TestResult {
    fuzz(context, |command| {
        command.args(["run", "--seconds", SECONDS])
    })
}

/// Its findings are lines of what it prints, which is this test's output.
fn fuzz(context: &Context, what: impl FnOnce(&mut Command) -> &mut Command) -> TestResult {
    if !context.fuzzer.exists() {
        return skip(format!("needs the fuzzer {}", context.fuzzer.display()));
    }
    let mut command = Command::new(&context.fuzzer);
    let status = what(&mut command)
        .arg("--dir")
        .arg(&context.dir)
        .arg("--modules")
        .arg(&context.modules)
        .status()
        .context("starting the fuzzer")?;
    ensure!(status.success(), "the fuzzer found something: {status}");
    Ok(())
}
