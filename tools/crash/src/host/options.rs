// SPDX-License-Identifier: GPL-2.0
//! The command line.

use std::path::PathBuf;

use clap::Parser;
use demo::parts::GuestParts;

use crate::mutant::Mutant;

/// What is said below the options.
const MORE: &str = "\
For each filesystem the last line is

  crash: FS stock violations=n/N pinlease violations=n/N

and the exit status is 0 if pinlease has none and the stock kernel has some; 1 if not; 2 if something else failed, such as
a call that asked for durability, or if the kernel complained during a run under pinlease.

OUT/crash.jsonl has a line for each cut.";

/// Cuts the power under a writing device, and looks whether the disk holds what was published.
#[derive(Debug, Parser)]
#[command(version, after_help = MORE, max_term_width = 120)]
pub struct Options {
    /// Cuts, for each filesystem and side.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub cuts: u32,
    /// Decides what the runs do and where the power is cut; by default another one each time.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Cuts of one run: each run is a boot, with files and devices of its own.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub per_run: u32,
    /// Break something on purpose, to see that it is found: only the side of pinlease, and the exit status is 0 if there are
    /// violations.
    #[arg(long, value_enum)]
    pub mutant: Option<Mutant>,
    /// Where the logs of runs under pinlease with violations are kept; by default OUT/crash.kept.
    #[arg(long)]
    pub keep: Option<PathBuf>,
    /// Keep the logs of all runs.
    #[arg(long)]
    pub keep_all: bool,
    /// Judges a kept log again, with the same cuts.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seed", "filesystems", "mutant", "keep", "keep_all"])]
    pub replay: Option<PathBuf>,
    /// Where the parts of guests are.
    #[command(flatten)]
    pub parts: GuestParts,
}

impl Options {
    /// Where logs are kept.
    pub fn keep(&self) -> PathBuf {
        let default = || self.parts.out.join("crash.kept");
        self.keep.clone().unwrap_or_else(default)
    }
}
