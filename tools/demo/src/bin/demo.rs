// SPDX-License-Identifier: GPL-2.0
//! The host's part of the demo: boots a guest per filesystem, prints a table
//! and writes `demo.json`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use demo::{
    cell::{Cell, Measured, Scenario},
    consumer::{Consumed, ConsumerCell},
    guest::GuestOptions,
    output::{write_json, Progress},
    table::{consumer_table, table},
};
use selftests::{consumers, harness::Side, support::Filesystem};
use serde::{Deserialize, Serialize};

/// Shows what the stock kernel loses or refuses, and what pinlease keeps.
///
/// The exit status is 0 when every field under pinlease is kept and every
/// control shows its fault.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    guest: GuestOptions,
}

/// demo.json.
#[derive(Serialize)]
struct Report<'a> {
    cells: Vec<Cell>,
    consumers: Vec<ConsumerCell<'a>>,
}

/// A line that the guest prints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Scenario(Measured),
    Consumer(Consumed),
}

/// All that the guests printed.
#[derive(Default)]
struct Found {
    measured: Vec<Measured>,
    consumed: Vec<Consumed>,
}

impl Found {
    fn len(&self) -> usize {
        self.measured.len() + self.consumed.len()
    }

    fn as_it_should_be(&self) -> bool {
        self.measured.iter().all(Measured::as_it_should_be)
            && self.consumed.iter().all(Consumed::as_it_should_be)
    }

    /// Takes a line; tells what is in it.
    fn add(&mut self, line: Line) -> String {
        match line {
            Line::Scenario(one) => {
                let what = match &one.result {
                    Ok(census) => census.to_string(),
                    Err(error) => format!("failed: {error}"),
                };
                let said = format!(
                    "{}: scenario {}, {}: {what}",
                    one.fs,
                    one.scenario,
                    one.side.name()
                );
                self.measured.push(one);
                said
            }
            Line::Consumer(one) => {
                let what = match &one.result {
                    Ok(measured) => measured.to_string(),
                    Err(error) => format!("failed: {error}"),
                };
                let said = format!("{}: {}, {}: {what}", one.fs, one.consumer, one.side.name());
                self.consumed.push(one);
                said
            }
        }
    }
}

fn main() -> Result<ExitCode> {
    let Cli { guest } = Cli::parse();
    let filesystems = guest.parts.filesystems();
    let per_guest = Side::BOTH.len() * (Scenario::ALL.len() + consumers::ALL.len());
    let expected = filesystems.len() * per_guest;
    let progress = Progress::new(expected as u64);
    let mut found = Found::default();
    for &filesystem in &filesystems {
        progress.doing(format!("{filesystem}: booting a guest"));
        measure(&guest, filesystem, &mut found, &progress)?;
    }
    drop(progress);

    println!("{}", table(&filesystems, &found.measured));
    println!("{}", consumer_table(&filesystems, &found.consumed));
    let report = Report {
        cells: found.measured.iter().filter_map(Measured::cell).collect(),
        consumers: found.consumed.iter().filter_map(Consumed::cell).collect(),
    };
    write_json(&guest.parts.out, "demo.json", &report)?;
    let good = found.len() == expected && found.as_it_should_be();
    println!(
        "{}",
        if good {
            "every control shows its fault, and pinlease keeps every page"
        } else {
            "NOT as it should be: see the fields with (!)"
        }
    );
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs all consumers and scenarios on one filesystem.
fn measure(
    guest: &GuestOptions,
    filesystem: Filesystem,
    found: &mut Found,
    progress: &Progress,
) -> Result<()> {
    let context = guest.context(filesystem);
    let ended = guest.run(
        filesystem,
        "demo-guest",
        &context,
        |line| match serde_json::from_str(line) {
            Ok(one) => progress.done(&found.add(one)),
            Err(_) => progress.line(line),
        },
    )?;
    if !ended.status.success() {
        progress.line(&format!(
            "{filesystem}: the guest ended with {}",
            ended.status
        ));
        progress.line(&ended.complaints);
    }
    Ok(())
}
