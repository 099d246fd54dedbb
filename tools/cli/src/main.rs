// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease`.

use std::process::ExitCode;

use clap::Parser;
use pinlease_cli::{sigpipe, Cli};

fn main() -> ExitCode {
    sigpipe::end_quietly();
    match Cli::parse().run() {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("pinlease: {failure}");
            failure.status()
        }
    }
}
