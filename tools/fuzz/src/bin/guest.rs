// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease-fuzz`, for a guest.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use fuzz::{
    crew::{self, Options},
    replay::replay,
};

/// Fuzzes pinlease.  Only for a guest of its own: loads modules, and may crash the kernel.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Do operations drawn by chance, and compare what comes of them with a model.
    Run(Options),
    /// Do the sequences of a file, or of all files of a folder.
    Replay {
        /// A sequence or a finding, or a folder of such.
        path: PathBuf,
        /// How often each.
        #[arg(long, default_value_t = 1)]
        times: u32,
        #[command(flatten)]
        options: Options,
    },
}

fn main() -> Result<ExitCode> {
    let good = match Cli::parse().command {
        Command::Run(options) => crew::fuzz(options)?,
        Command::Replay {
            path,
            times,
            options,
        } => replay(&path, times, &options)?,
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
