// SPDX-License-Identifier: GPL-2.0
//! One test: a name and a function.

use std::{fmt, time::Duration};

use anyhow::Result;

use super::{Context, Side};

/// How a test ends: an error fails it, a [`Skip`] skips it.
pub type TestResult = Result<()>;

/// One behaviour to check.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// `suite.behaviour`.
    pub name: &'static str,
    /// Checks it.
    pub run: fn(&Context) -> TestResult,
    /// Limit under emulation; a test that exceeds it fails.
    pub timeout: Duration,
    /// Whether it also runs on the stock side, where it asserts that the fault
    /// appears: a test that cannot fail proves nothing.
    pub has_control: bool,
    /// Whether it also runs with pins that others make.
    pub has_grant: bool,
    /// What the kernel may log of itself that would fail another test, as long as nothing that
    /// it logs has the module in it.
    pub kernel_may_log: &'static [&'static str],
}

impl Test {
    /// A test with the usual time limit.
    pub const fn new(name: &'static str, run: fn(&Context) -> TestResult) -> Self {
        Self {
            name,
            run,
            timeout: Duration::from_secs(120),
            has_control: false,
            has_grant: false,
            kernel_may_log: &[],
        }
    }

    /// A test that runs on both sides.
    pub const fn controlled(name: &'static str, run: fn(&Context) -> TestResult) -> Self {
        Self {
            has_control: true,
            ..Self::new(name, run)
        }
    }

    /// The same, also with pins that others make.
    pub const fn granted(mut self) -> Self {
        self.has_grant = true;
        self
    }

    /// The same, but the kernel may log lines that have one of these in them.
    pub const fn kernel_may_log(mut self, lines: &'static [&'static str]) -> Self {
        self.kernel_may_log = lines;
        self
    }

    /// The same with a limit of its own.
    pub const fn seconds(mut self, seconds: u64) -> Self {
        self.timeout = Duration::from_secs(seconds);
        self
    }

    /// Whether it runs on `side`.
    pub fn runs_on(&self, side: Side) -> bool {
        match side {
            Side::Stock => self.has_control,
            Side::Pinlease => true,
            Side::Grant => self.has_grant,
        }
    }

    /// Whether `pattern` names this test, its suite, or a beginning of either.
    pub fn matches(&self, pattern: &str) -> bool {
        self.name.starts_with(pattern)
    }
}

/// The error of a test that cannot run here; says why.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Ends the test as skipped.
///
/// # Errors
///
/// Always.
pub fn skip<T>(reason: impl Into<String>) -> Result<T> {
    Err(Skip(reason.into()).into())
}
