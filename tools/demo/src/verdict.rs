// SPDX-License-Identifier: GPL-2.0
//! check.json: how each test ended.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use selftests::{
    harness::{Outcome, Side},
    support::Filesystem,
};
use serde::{Deserialize, Serialize};

/// How one test ended on one filesystem, on one side.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Verdict {
    /// The filesystem.
    pub fs: Filesystem,
    /// The side.
    pub side: Side,
    /// The test.
    pub test: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped; else empty.
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
    /// What it printed.
    #[serde(skip)]
    pub output: Vec<String>,
}

/// All of it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// Each of them.
    pub tests: Vec<Verdict>,
}

impl Verdict {
    /// Such as `xfs pinlease:s01-after-clean.faulted`.
    pub fn name(&self) -> String {
        format!("{} {}:{}", self.fs, self.side.name(), self.test)
    }
}

impl Report {
    /// The names of the tests that were skipped, by the reason.
    pub fn skipped_by_reason(&self) -> BTreeMap<&str, Vec<String>> {
        let mut reasons: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for verdict in &self.tests {
            if verdict.outcome == Outcome::Skipped {
                reasons
                    .entry(verdict.reason.as_str())
                    .or_default()
                    .push(verdict.name());
            }
        }
        reasons
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// There is none, or it is another one.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }
}
