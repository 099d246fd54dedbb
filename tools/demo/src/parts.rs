// SPDX-License-Identifier: GPL-2.0
//! What every program of the host that boots guests is told.

use std::{ffi::OsString, path::PathBuf, process::Command};

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
        if self.filesystems.is_empty() {
            Filesystem::ALL.into()
        } else {
            self.filesystems.clone()
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
