// SPDX-License-Identifier: GPL-2.0
//! The command `selftests`, for a guest.

use std::process::ExitCode;

use anyhow::{ensure, Result};
use clap::{Parser, Subcommand};
use selftests::{
    harness::{run, Context, Format, Reporter, Side, Test},
    suites,
    support::slowness,
};

/// Tests pinlease.  Only for a guest of its own: loads modules, changes
/// sysctls, writes over the disk it is given.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the tests.
    List,
    /// Run tests.
    Run {
        /// Suites, tests, or beginnings of their names; all when there is none.
        names: Vec<String>,
        /// With a lease, or as drivers do today (only tests that have such a
        /// control); may be repeated.
        #[arg(long = "side", value_enum, default_values = ["pinlease"])]
        sides: Vec<Side>,
        /// How to report.
        #[arg(long, value_enum, default_value = "ktap")]
        format: Format,
        /// Multiplies the time limits, for slow machines.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        time_scale: u32,
        #[command(flatten)]
        context: Box<Context>,
    },
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::List => {
            for test in suites::all() {
                println!("{}", test.name);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run {
            names,
            sides,
            format,
            time_scale,
            context,
        } => {
            slowness::set(time_scale);
            let tests = select(&names)?;
            let mut reporter = Reporter::new(std::io::stdout(), format);
            run(&tests, &sides, &context, &mut reporter, time_scale)?;
            Ok(reporter.status().into())
        }
    }
}

/// The tests that `names` select, in their own order.
fn select(names: &[String]) -> Result<Vec<Test>> {
    let all: Vec<Test> = suites::all().collect();
    for name in names {
        ensure!(
            all.iter().any(|test| test.matches(name)),
            "no test is called '{name}'; see 'selftests list'"
        );
    }
    Ok(all
        .into_iter()
        .filter(|test| names.is_empty() || names.iter().any(|name| test.matches(name)))
        .collect())
}
