// SPDX-License-Identifier: GPL-2.0
//! The command line.

use std::path::PathBuf;

use clap::Parser;
use demo::parts::GuestParts;

use crate::mode::Mode;

/// Measures what pinlease costs, in guests, beside what it is compared with in the same boot.
///
/// Writes bench.json, bench.txt and plots (bench-*.svg) to the folder of results; with --quick
/// bench-quick.json and so on.  The exit status is 0 when all that was to be measured was, whether
/// the bars are met or not.
#[derive(Debug, Parser)]
#[command(version, mut_arg("filesystems", |named| named.help("Filesystems; ext4 when there is none")))]
pub struct Options {
    /// Where the parts of guests are.
    #[command(flatten)]
    pub parts: GuestParts,
    /// How guests are run; in both ways if it is not said.
    #[arg(long = "mode", value_enum)]
    pub modes: Vec<Mode>,
    /// Few rounds of little work: to see whether it works.
    #[arg(long)]
    pub quick: bool,
    /// Rounds; by default as many as --quick has or has not.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Seconds after which a guest is given up.
    #[arg(long, default_value_t = 3600)]
    pub timeout: u64,
    /// Measure nothing, but write a document with the tables of what was measured.
    #[arg(long, value_name = "FILE")]
    pub table: Option<PathBuf>,
    /// What is measured: groups of figures, or figures or beginnings of their names, for whose sake their
    /// group is measured; all when there is none.
    pub names: Vec<String>,
}

impl Options {
    /// The ways to run guests.
    pub fn modes(&self) -> Vec<Mode> {
        match self.modes.as_slice() {
            [] => vec![Mode::Icount, Mode::Wall],
            modes => modes.into(),
        }
    }

    /// Where the results go, without what follows the dot.
    pub fn stem(&self) -> &'static str {
        if self.quick {
            "bench-quick"
        } else {
            "bench"
        }
    }
}
