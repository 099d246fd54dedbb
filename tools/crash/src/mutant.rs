// SPDX-License-Identifier: GPL-2.0
//! What is broken on purpose, to show that the judge convicts.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A mutant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mutant {
    /// A program that publishes before it asks for durability.
    Early,
    /// A disk that answers flushes and drops what was flushed.
    LyingDisk,
}

impl Mutant {
    /// As the command line knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::LyingDisk => "lying-disk",
        }
    }
}
