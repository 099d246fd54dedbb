// SPDX-License-Identifier: GPL-2.0
//! The guest's part of the demo: measures every consumer and every scenario on
//! one filesystem, first as the stock kernel does, then under pinlease.

use std::io::{self, Write};

use anyhow::Result;
use clap::Parser;
use demo::{
    cell::{Measured, Scenario},
    consumer::Consumed,
};
use selftests::{
    consumers,
    harness::{Context, Side},
    support::Fill,
};
use serde::Serialize;

/// Measures the demo's consumers and scenarios; prints a JSON line for each.
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
        // First, while nobody has loaded a module.
        for consumer in consumers::ALL {
            print(&Consumed {
                fs,
                consumer: consumer.name.into(),
                side,
                result: consumers::measure(&context, consumer, Fill::Written)
                    .map_err(|error| format!("{error:#}")),
            })?;
        }
        for scenario in Scenario::ALL {
            print(&Measured {
                fs,
                scenario: scenario.number(),
                side,
                result: scenario
                    .measure(&context)
                    .map_err(|error| format!("{error:#}")),
            })?;
        }
    }
    Ok(())
}

fn print(line: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
