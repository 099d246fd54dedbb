// SPDX-License-Identifier: GPL-2.0
//! The guest's part of the demo: measures every scenario on one filesystem,
//! first as the stock kernel does, then under pinlease.

use std::io::{self, Write};

use anyhow::Result;
use clap::Parser;
use demo::cell::{Measured, Scenario};
use selftests::harness::{Context, Side};

/// Measures the demo's scenarios; prints a JSON line for each.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    context: Context,
}

fn main() -> Result<()> {
    let Cli { mut context } = Cli::parse();
    let fs = context.filesystem()?;
    for side in Side::BOTH {
        context.side = side;
        for scenario in Scenario::ALL {
            let measured = Measured {
                fs,
                scenario: scenario.number(),
                side,
                result: scenario
                    .measure(&context)
                    .map_err(|error| format!("{error:#}")),
            };
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, &measured)?;
            writeln!(out)?;
            out.flush()?;
        }
    }
    Ok(())
}
