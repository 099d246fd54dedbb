// SPDX-License-Identifier: GPL-2.0
//! Runs a command in a guest, by scripts/vm.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{anyhow, Context, Result};
use clap::Args;
use selftests::support::Filesystem;

use crate::kernel::Kernel;

/// What a guest is made of.
#[derive(Args, Debug)]
pub struct GuestOptions {
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
    /// Seconds after which a guest is given up; with the debug kernel, six
    /// times as many.
    #[arg(long, default_value_t = 3600)]
    pub timeout: u64,
    /// Filesystems; all when there is none.
    #[arg(long = "fs", value_enum)]
    filesystems: Vec<Filesystem>,
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

/// The disk of a filesystem, with all that conflicts with leases.
fn disk(filesystem: Filesystem) -> String {
    match filesystem {
        Filesystem::Xfs => "xfs:512M:-i exchange=1".into(),
        other => format!("{other}:512M"),
    }
}

impl GuestOptions {
    /// The filesystems to run on.
    pub fn filesystems(&self) -> Vec<Filesystem> {
        if self.filesystems.is_empty() {
            Filesystem::ALL.into()
        } else {
            self.filesystems.clone()
        }
    }

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
        let mut command = Command::new(&self.vm);
        command
            .arg("--disk")
            .arg(disk(filesystem))
            .args(["--disk", "raw:512M", "--disk", "nvme:64M", "--edu"])
            .arg("--timeout")
            .arg((self.timeout * u64::from(self.kernel.slowness())).to_string())
            .args(self.kernel.arguments());
        let modules = self.kernel.modules(&self.out);
        for file in [
            self.programs.join(program),
            self.programs.join("af-xdp"),
            self.programs.join("vfio-edu"),
            self.out.join("pinlease"),
            modules.join("pinlease.ko"),
            modules.join("dmasim.ko"),
            modules.join("patch_tracking.ko"),
            self.programs.join("examples"),
            self.programs.join("samples"),
        ] {
            command.arg("--file").arg(file);
        }
        let mut child = command
            .args(&self.vm_arguments)
            .arg("--")
            .arg(format!("/pinlease/{program}"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.vm.display()))?;
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
