// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease-bench`, for a guest.

use anyhow::Result;
use bench::guest::{bench_throttling, measure, Options, Throttling};
use clap::{Parser, Subcommand};

/// Measures what pinlease costs.  Only for a guest of its own: loads modules, makes disks, writes over
/// the one that it reads from.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, and print a line of JSON for each figure.
    Measure(Options),
    /// Measure a writer's throughput beside a lease of much of the memory.
    Throttling(Throttling),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Measure(options) => measure(&options),
        Command::Throttling(options) => bench_throttling(&options),
    }
}
