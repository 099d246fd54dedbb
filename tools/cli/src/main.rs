// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease`.

use std::process::ExitCode;

use clap::Parser;
use nix::sys::signal::{signal, SigHandler, Signal};
use pinlease_cli::Cli;

fn main() -> ExitCode {
    // As other commands do: end quietly when the reader of a pipe is gone.
    // SAFETY: the default action is no handler that could do anything unsafe.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    match Cli::parse().run() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("pinlease: {error:#}");
            ExitCode::FAILURE
        }
    }
}
