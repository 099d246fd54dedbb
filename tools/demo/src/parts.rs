// SPDX-License-Identifier: GPL-2.0
//! What every program of the host that boots guests is told.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result};
use clap::Args;
use selftests::support::Filesystem;

use crate::kernel::Kernel;

/// Where the parts of guests are, and for which filesystems they are booted.
#[derive(Args, Clone, Debug)]
pub struct GuestParts {
    /// Program that boots a guest and runs a command in it.
    #[arg(long, default_value = "scripts/vm")]
    pub vm: PathBuf,
    /// Its kernel.
    #[arg(long, value_enum, default_value = "stock")]
    pub kernel: Kernel,
    /// Folder of the modules (for the debug kernel: in debug/) and of the
    /// command pinlease; results go there too.
    #[arg(long, default_value = "out")]
    pub out: PathBuf,
    /// Folder of the programs for the guest.
    #[arg(long, default_value = "out/programs")]
    pub programs: PathBuf,
    /// More arguments for the program that boots the guest; may be repeated.
    #[arg(long = "vm-arg", allow_hyphen_values = true)]
    pub vm_arguments: Vec<OsString>,
    /// Filesystems; all when there is none.
    #[arg(long = "fs", value_enum)]
    filesystems: Vec<Filesystem>,
}

impl GuestParts {
    /// The filesystems to run on.
    pub fn filesystems(&self) -> Vec<Filesystem> {
        self.filesystems_or(&Filesystem::ALL)
    }

    /// The filesystems that were named, or these when there is none.
    pub fn filesystems_or(&self, usual: &[Filesystem]) -> Vec<Filesystem> {
        match self.filesystems.as_slice() {
            [] => usual.into(),
            named => named.into(),
        }
    }

    /// The beginning of a command that boots a guest with the kernel: with this
    /// memory, unless the kernel needs more.
    pub fn boot(&self, memory: &str) -> Command {
        let mut command = Command::new(&self.vm);
        command
            .args(self.kernel.arguments())
            .args(["--memory", self.kernel.memory().unwrap_or(memory)])
            .args(&self.vm_arguments);
        command
    }

    /// Where a module for the kernel is.
    pub fn module(&self, name: &str) -> PathBuf {
        self.kernel.modules(&self.out).join(name)
    }
}

/// Runs a command to its end, and calls `line` for each line that it prints.
///
/// # Errors
///
/// It cannot be started, or those of `line`.
pub fn run(command: &mut Command, mut line: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let program = Path::new(command.get_program()).display();
    let mut child = child.with_context(|| format!("starting {program}"))?;
    let output = child.stdout.take().context("no standard output")?;
    for text in BufReader::new(output).lines() {
        line(&text.context("reading the guest's output")?)?;
    }
    Ok(child.wait()?)
}
