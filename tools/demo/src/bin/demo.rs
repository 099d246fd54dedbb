// SPDX-License-Identifier: GPL-2.0
//! The host's part of the demo: boots a guest per filesystem, prints a table
//! and writes `demo.json` and `demo.html`.

use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use clap::Parser;
use demo::{
    cell::Scenario,
    found::Found,
    guest::GuestOptions,
    output::Progress,
    report,
    run::{commit, Host},
    table::{consumer_table, table},
};
use selftests::{consumers, harness::Side, support::Filesystem};

/// Shows what the stock kernel loses or refuses, and what pinlease keeps.
///
/// The exit status is 0 when every field under pinlease is kept and every
/// control shows its fault.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    guest: GuestOptions,
    /// Boots no guest, and writes demo.html again from this demo.json.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let Cli { guest, from } = Cli::parse();
    if let Some(from) = from {
        let (host, found) = Found::read(&from)?;
        report::write(&found, &host, &guest.parts.out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let filesystems = guest.parts.filesystems();
    let per_guest = Side::BOTH.len() * (Scenario::ALL.len() + consumers::ALL.len());
    let expected = filesystems.len() * per_guest;
    let progress = Progress::new(expected as u64);
    let mut found = Found::default();
    let started = Instant::now();
    let mut host = Host {
        commit: commit(),
        began: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        command: env::args().collect(),
        ..Host::default()
    };
    for &filesystem in &filesystems {
        progress.doing(format!("{filesystem}: booting a guest"));
        measure(&guest, filesystem, &mut found, &progress)?;
    }
    drop(progress);

    println!("{}", table(&filesystems, &found.measured));
    println!("{}", consumer_table(&filesystems, &found.consumed));
    host.seconds = started.elapsed().as_secs();
    found.write(&host, &guest.parts.out)?;
    report::write(&found, &host, &guest.parts.out)?;
    let good = found.results() == expected && found.as_it_should_be();
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
            Ok(one) => {
                if let Some(said) = found.add(one) {
                    progress.done(&said);
                }
            }
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
