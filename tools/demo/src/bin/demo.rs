// SPDX-License-Identifier: GPL-2.0
//! The host's part of the demo: boots a guest per filesystem, prints a table
//! and writes `demo.json`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use demo::{
    cell::{Cell, Measured, Scenario},
    guest::GuestOptions,
    output::{write_json, Progress},
    table::table,
};
use selftests::{harness::Side, support::Filesystem};
use serde::Serialize;

/// Shows what the stock kernel loses and what pinlease keeps.
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
struct Report {
    cells: Vec<Cell>,
}

fn main() -> Result<ExitCode> {
    let Cli { guest } = Cli::parse();
    let filesystems = guest.filesystems();
    let per_guest = Side::BOTH.len() * Scenario::ALL.len();
    let expected = filesystems.len() * per_guest;
    let progress = Progress::new(expected as u64);
    let mut measured = Vec::new();
    for &filesystem in &filesystems {
        progress.doing(format!("{filesystem}: booting a guest"));
        measured.extend(measure(&guest, filesystem, &progress)?);
    }
    drop(progress);

    println!("{}", table(&filesystems, &measured));
    let cells = measured.iter().filter_map(Measured::cell).collect();
    write_json(&guest.out, "demo.json", &Report { cells })?;
    let good = measured.len() == expected && measured.iter().all(Measured::as_it_should_be);
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

/// Runs all scenarios on one filesystem.
fn measure(
    guest: &GuestOptions,
    filesystem: Filesystem,
    progress: &Progress,
) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    let context = guest.context(filesystem);
    let ended = guest.run(filesystem, "demo-guest", &context, |line| {
        let Ok(one) = serde_json::from_str::<Measured>(line) else {
            progress.line(line);
            return;
        };
        let name = format!(
            "{filesystem}: scenario {}, {}",
            one.scenario,
            one.side.name()
        );
        match &one.result {
            Ok(census) => progress.done(&format!("{name}: {census}")),
            Err(error) => progress.done(&format!("{name}: failed: {error}")),
        }
        measured.push(one);
    })?;
    if !ended.status.success() {
        progress.line(&format!(
            "{filesystem}: the guest ended with {}",
            ended.status
        ));
        progress.line(&ended.complaints);
    }
    Ok(measured)
}
