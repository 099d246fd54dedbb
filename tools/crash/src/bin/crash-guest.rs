// SPDX-License-Identifier: GPL-2.0
//! The program for the guests.

use anyhow::Result;
use clap::{Parser, Subcommand};
use crash::guest::{look, work};

/// Works until the power is cut, or looks at what is left; for guests only.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a filesystem and works on it without end.
    Work(work::Options),
    /// Mounts what it is told to and reports what is there.
    Look(look::Options),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Work(options) => work::run(&options),
        Command::Look(options) => look::run(&options),
    }
}
