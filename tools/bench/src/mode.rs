// SPDX-License-Identifier: GPL-2.0
//! What the guest's clock counts.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How a guest is run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One processor, whose clock counts instructions: a nanosecond each.
    Icount,
    /// Several, and the clock of the host.
    Wall,
}

impl Mode {
    /// As the command line knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Icount => "icount",
            Self::Wall => "wall",
        }
    }

    /// The name of a figure that was measured so: what is counted has the plain one.
    pub fn name_of(self, figure: &str) -> String {
        match self {
            Self::Icount => figure.into(),
            Self::Wall => format!("{figure}_wall"),
        }
    }
}
