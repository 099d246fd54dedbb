// SPDX-License-Identifier: GPL-2.0
//! The command `pinlease`; a library, so that its man pages are made of what
//! it understands.

mod event_line;
mod failure;
mod file_id;
mod hold;
mod ls;
mod mount;
mod range;
mod refusal;
mod row;
mod run;
pub mod sigpipe;
mod status;
mod top;
mod tracing;
mod units;
mod users;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
pub use failure::Failure;

/// What is said below the options.
const MORE: &str = "\
Examples:
  pinlease status                         can I have leases here?
  pinlease ls data                        who holds which range of the file?
  pinlease watch                          what happens, as it happens
  pinlease top                            which lease is written how much?
  pinlease hold --grace 10s data:0,2M     hold 2 MiB and see who breaks it
  pinlease run --lease data -- ib_write_bw --mmap=data
                                          RDMA into a file";

/// Leases on byte ranges of files whose mapped memory a device writes.
#[derive(Debug, Parser)]
#[command(name = "pinlease", version, after_help = MORE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(ls::Ls),
    Top(top::Top),
    Watch(watch::Watch),
    Hold(hold::Hold),
    Run(run::Run),
    Status(status::Status),
}

impl Cli {
    /// Does what was asked for; gives the exit status.
    ///
    /// # Errors
    ///
    /// It cannot be done; the message is one line.
    pub fn run(self) -> Result<ExitCode, Failure> {
        Ok(match self.command {
            Command::Ls(ls) => ls.run()?,
            Command::Top(top) => top.run()?,
            Command::Watch(watch) => watch.run()?,
            Command::Hold(hold) => hold.run()?,
            Command::Run(run) => match run.run()? {},
            Command::Status(status) => status.run()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_needs_a_pin() {
        let hold = |more: &[&str]| {
            Cli::try_parse_from([&["pinlease", "hold", "data"], more].concat()).map(drop)
        };
        assert!(hold(&["--on-break", "release"]).is_ok());
        assert!(hold(&["--on-break", "unpin", "--pin"]).is_ok());
        assert!(hold(&["--on-break", "unpin"]).is_err());
        assert!(hold(&["--policy", "murder"]).is_err());
        assert!(hold(&["--grant", "--pin", "--policy", "block"]).is_ok());
    }
}
