// SPDX-License-Identifier: GPL-2.0
//! The guest's part of the demo: measures every consumer and every scenario on
//! one filesystem, first as the stock kernel does, then under pinlease.

use std::io::{self, Write};

use anyhow::Result;
use clap::Parser;
use demo::{
    cell::{Measured, Scenario},
    consumer::Consumed,
    recorded::Recorded,
    run::Booted,
};
use selftests::{
    consumers,
    harness::{Context, Side},
    support::{Fill, Journal},
};
use serde::Serialize;

/// Measures the demo's consumers and scenarios; prints JSON lines.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    context: Context,
}

fn main() -> Result<()> {
    let Cli { mut context } = Cli::parse();
    let fs = context.filesystem()?;
    print(&Booted::here(&context, fs)?)?;
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
            let mut journal = Journal::open();
            let result = scenario.measure(&context, &mut journal);
            let number = scenario.number();
            print(&Measured {
                fs,
                scenario: number,
                side,
                result: result.map_err(|error| format!("{error:#}")),
            })?;
            print(&Recorded {
                fs,
                scenario: number,
                side,
                record: journal.close(),
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
