// SPDX-License-Identifier: GPL-2.0
//! Runs a command in a guest, by scripts/vm.

use std::{
    io::{self, BufRead, BufReader, Read},
    process::{ExitStatus, Stdio},
    thread,
};

use anyhow::{anyhow, Context, Result};
use clap::Args;
use selftests::support::Filesystem;

use crate::parts::GuestParts;

/// What a guest is made of.
#[derive(Args, Debug)]
pub struct GuestOptions {
    /// Where its parts are.
    #[command(flatten)]
    pub parts: GuestParts,
    /// Seconds after which a guest is given up; with the debug kernel, six
    /// times as many.
    #[arg(long, default_value_t = 3600)]
    pub timeout: u64,
    /// Pages that the device writes.
    #[arg(long, default_value_t = 64)]
    pub pages: u64,
    /// How often fsync is repeated under a running device.
    #[arg(long, default_value_t = 30)]
    pub rounds: u64,
}

/// How a guest ended.
#[derive(Debug)]
pub struct Ended {
    /// The command's exit status.
    pub status: ExitStatus,
    /// What it, or the program that boots it, complained.
    pub complaints: String,
}

/// The guest's memory.
const MEMORY: &str = "1G";

/// The disk of a filesystem, with all that conflicts with leases.
fn disk(filesystem: Filesystem) -> String {
    match filesystem {
        Filesystem::Xfs => "xfs:512M:-i exchange=1".into(),
        other => format!("{other}:512M"),
    }
}

impl GuestOptions {
    /// Arguments that the programs of the guest have in common.
    pub fn context(&self, filesystem: Filesystem) -> Vec<String> {
        vec![
            format!("--dir=/mnt/{filesystem}"),
            "--device=/dev/disk/pinlease/raw0".into(),
            format!("--pages={}", self.pages),
            format!("--rounds={}", self.rounds),
        ]
    }

    /// Boots a guest with a filesystem and an empty disk, runs `program` in it
    /// and calls `line` for each line that it prints.
    ///
    /// # Errors
    ///
    /// The guest cannot be started.
    pub fn run(
        &self,
        filesystem: Filesystem,
        program: &str,
        arguments: &[String],
        mut line: impl FnMut(&str),
    ) -> Result<Ended> {
        let Self { parts, timeout, .. } = self;
        let timeout = timeout * u64::from(parts.kernel.slowness());
        let mut command = parts.boot(MEMORY);
        command
            .arg("--disk")
            .arg(disk(filesystem))
            .args(["--disk", "raw:512M", "--disk", "nvme:64M", "--edu=9"])
            .args(["--timeout", &timeout.to_string()]);
        for file in [
            parts.programs.join(program),
            parts.programs.join("af-xdp"),
            parts.programs.join("vfio-edu"),
            parts.out.join("pinlease"),
            parts.module("pinlease.ko"),
            parts.module("dmasim.ko"),
            parts.module("edu.ko"),
            parts.module("patch_tracking.ko"),
            parts.programs.join("examples"),
            parts.programs.join("samples"),
            parts.programs.join("pinlease-fuzz"),
            parts.programs.join("corpus"),
        ] {
            command.arg("--file").arg(file);
        }
        let mut child = command
            .arg("--")
            .arg(format!("/pinlease/{program}"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", parts.vm.display()))?;
        let output = child.stdout.take().context("no standard output")?;
        let errors = child.stderr.take().context("no standard error")?;
        let errors = thread::spawn(move || drain(errors));
        for text in BufReader::new(output).lines() {
            line(&text.context("reading the guest's output")?);
        }
        let status = child.wait()?;
        let complaints = errors.join().map_err(|_| anyhow!("reader died"))??;
        Ok(Ended { status, complaints })
    }
}

fn drain(mut from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
