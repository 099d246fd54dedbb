// SPDX-License-Identifier: GPL-2.0
//! Writes the table of Documentation/filesystems.rst.

use std::{fs, path::PathBuf};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use demo::{filesystem_table::document, verdict::Report};
use selftests::support::Filesystem;

/// Writes Documentation/filesystems.rst from how the tests ended.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// What `check` wrote: of all tests, on all filesystems.
    #[arg(long, default_value = "out/check.json")]
    results: PathBuf,
    /// The document.
    #[arg(long, default_value = "Documentation/filesystems.rst")]
    document: PathBuf,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let report = Report::read(&cli.results)?;
    for fs in Filesystem::ALL {
        ensure!(
            report.tests.iter().any(|verdict| verdict.fs == fs),
            "{} has nothing of {fs}: run make check first",
            cli.results.display()
        );
    }
    fs::write(&cli.document, document(&report))
        .with_context(|| format!("writing {}", cli.document.display()))
}
