// SPDX-License-Identifier: GPL-2.0
//! What came of one check, a line of JSON in the shared folder.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The file in the shared folder.
pub const FILE: &str = "outcomes";

/// The last check: without it the guest died.
pub const LAST: &str = "removed";

/// One check.
#[derive(Debug, Deserialize, Serialize)]
pub struct Outcome {
    /// What was checked.
    pub name: String,
    /// What was seen, or why it failed.
    pub text: String,
    /// Whether it is as it should be.
    pub passed: bool,
    /// How long it took.
    pub seconds: u64,
}

/// Does a check and notes its outcome in `folder`.
///
/// # Errors
///
/// The outcome cannot be written.
pub fn note(folder: &Path, name: &str, check: impl FnOnce() -> Result<String>) -> Result<()> {
    let begin = Instant::now();
    let result = check();
    let outcome = Outcome {
        name: name.to_owned(),
        passed: result.is_ok(),
        text: result.unwrap_or_else(|error| format!("{error:#}")),
        seconds: begin.elapsed().as_secs(),
    };
    let path = folder.join(FILE);
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{}", serde_json::to_string(&outcome)?)?;
    Ok(file.sync_all()?)
}

/// All that were noted.
///
/// # Errors
///
/// They cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Outcome>> {
    let text = fs::read_to_string(folder.join(FILE)).context("the guest noted nothing")?;
    let outcomes = text.lines().map(serde_json::from_str);
    outcomes.collect::<Result<_, _>>().context(text.clone())
}

/// Whether the guest came to its end and nothing failed.
pub fn all_passed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.passed)
        && outcomes.last().is_some_and(|last| last.name == LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, passed: bool) -> Outcome {
        Outcome {
            name: name.into(),
            text: String::new(),
            passed,
            seconds: 0,
        }
    }

    #[test]
    fn a_guest_that_died_has_not_passed() {
        assert!(!all_passed(&[]));
        assert!(!all_passed(&[outcome("installed", true)]));
        assert!(!all_passed(&[
            outcome("installed", false),
            outcome(LAST, true)
        ]));
        assert!(all_passed(&[
            outcome("installed", true),
            outcome(LAST, true)
        ]));
    }
}
