// SPDX-License-Identifier: GPL-2.0
//! Types what Documentation/tutorial.rst says, and compares what comes back.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use demo::tutorial::Tutorial;

/// Runs the commands of Documentation/tutorial.rst in the guest that it boots, and fails if one of
/// them fails, or prints something else than the document says.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The document.
    #[arg(long, default_value = "Documentation/tutorial.rst")]
    document: PathBuf,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let text = fs::read_to_string(&cli.document)
        .with_context(|| format!("reading {}", cli.document.display()))?;
    let tutorial = Tutorial::parse(&text).with_context(|| cli.document.display().to_string())?;
    let boot = tutorial.boot().context("no command that boots a guest")?;
    // What stands before it built the programs that it starts.
    let output = Command::new("bash")
        .args(["-c", &format!("{boot} -c \"$1\""), "tutorial"])
        .arg(tutorial.script())
        .output()
        .context("starting bash")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    tutorial
        .compare(&printed)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(
        output.status.success(),
        "{}: {printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    println!(
        "tutorial: {} commands do what the document says",
        tutorial.guest.len()
    );
    Ok(())
}
