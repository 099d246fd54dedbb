// SPDX-License-Identifier: GPL-2.0
//! The kernels that guests run.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// A kernel for which there are modules.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Kernel {
    /// The distribution's.
    Stock,
    /// The one with KASAN, lockdep and their like: see scripts/debug.config.
    Debug,
}

impl Kernel {
    /// The folder of the modules for it, below `out`.
    pub fn modules(self, out: &Path) -> PathBuf {
        match self {
            Self::Stock => out.into(),
            Self::Debug => out.join("debug"),
        }
    }

    /// What the program that boots the guest must know.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Stock => &[],
            // A poisoned page tells who writes after it was freed.
            Self::Debug => &["--kernel=debug", "--append=page_poison=1"],
        }
    }

    /// The memory that it needs, if that is more than the tests do.
    pub fn memory(self) -> Option<&'static str> {
        match self {
            Self::Stock => None,
            // Shadow memory and lock classes take their part.
            Self::Debug => Some("3G"),
        }
    }

    /// How many times as long everything takes.
    pub fn slowness(self) -> u32 {
        match self {
            Self::Stock => 1,
            Self::Debug => 6,
        }
    }

    /// The file with the results of the tests.
    pub fn results(self) -> &'static str {
        match self {
            Self::Stock => "check.json",
            Self::Debug => "check-debug.json",
        }
    }
}
