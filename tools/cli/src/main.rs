// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease`.

mod hold;
mod range;
mod status;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Leases on byte ranges of files whose mapped memory a device writes.
#[derive(Parser)]
#[command(name = "pinlease", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Status(status::Status),
    Hold(hold::Hold),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Status(status) => status.run(),
        Command::Hold(hold) => hold.run(),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            eprintln!("pinlease: {error:#}");
            ExitCode::FAILURE
        }
    }
}
