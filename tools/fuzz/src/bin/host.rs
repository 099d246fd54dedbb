// SPDX-License-Identifier: GPL-2.0
//! The command `fuzz`, for the host: fuzzes in a guest for each filesystem, and keeps what was found.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use demo::parts::{run, GuestParts};
use fuzz::finding::Finding;
use selftests::support::Filesystem;

/// Fuzzes pinlease in guests.
///
/// First the corpus is replayed.  What is found goes to fuzz/FILESYSTEM-NUMBER.json in the folder of
/// results, for `pinlease-fuzz replay`.  The exit status is 0 when nothing was found.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Where the parts of guests are.
    #[command(flatten)]
    parts: GuestParts,
    /// Seconds on each.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The guest's memory.
    #[arg(long, default_value = "1500M")]
    memory: String,
    /// More arguments for `pinlease-fuzz run`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Seconds that a guest may take beside what it fuzzes.
const MORE: u64 = 1200;

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let mut good = true;
    for filesystem in cli.parts.filesystems() {
        good &= cli.fuzz(filesystem)?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Cli {
    /// True when nothing was found.
    fn fuzz(&self, filesystem: Filesystem) -> Result<bool> {
        let dir = format!("--dir=/mnt/{filesystem}");
        let script = format!(
            "/pinlease/pinlease-fuzz replay /pinlease/corpus {dir} && exec /pinlease/pinlease-fuzz run {dir} --seconds {} \"$@\"",
            self.seconds
        );
        let parts = &self.parts;
        let mut command = parts.boot(&self.memory);
        command.args(["--disk", &format!("{filesystem}:1G")]);
        let timeout = self.seconds + MORE * u64::from(parts.kernel.slowness());
        command.args(["--timeout", &timeout.to_string()]);
        for file in [
            parts.programs.join("pinlease-fuzz"),
            parts.module("pinlease.ko"),
            parts.module("dmasim.ko"),
            parts.programs.join("corpus"),
        ] {
            command.arg("--file").arg(file);
        }
        command
            .args(["--", "sh", "-c", &script, "fuzz"])
            .args(&self.arguments);
        let mut findings = 0;
        let status = run(&mut command, |line| {
            match Finding::of_line(line) {
                Some(finding) => {
                    findings += 1;
                    let path = parts
                        .out
                        .join("fuzz")
                        .join(format!("{filesystem}-{findings}.json"));
                    println!("{filesystem}: {}: {}", path.display(), finding.what);
                    write(&path, &finding)?;
                }
                None => println!("{filesystem}: {line}"),
            }
            Ok(())
        })?;
        Ok(status.success() && findings == 0)
    }
}

fn write(path: &Path, finding: &Finding) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, serde_json::to_string(finding)?)?;
    Ok(())
}
