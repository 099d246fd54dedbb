// SPDX-License-Identifier: GPL-2.0
//! What all measurements have.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use selftests::support::{
    modules,
    sysctl::{idle_flusher, Sysctl},
    Filesystem,
};

use super::Group;
use crate::{
    measured::{Line, Measured},
    mode::Mode,
};

/// The options of the measurements.
#[derive(Args, Debug)]
pub struct Options {
    /// The filesystem that disks are formatted with.
    #[arg(long, value_enum, default_value = "ext4")]
    pub filesystem: Filesystem,
    /// What the clock counts.
    #[arg(long, value_enum, default_value = "wall")]
    pub mode: Mode,
    /// Few rounds of little work.
    #[arg(long)]
    pub quick: bool,
    /// Rounds.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Folder of pinlease.ko and pinbench.ko.
    #[arg(long, default_value = "/pinlease")]
    pub modules: PathBuf,
    /// Folder on a filesystem of that kind; by default where the guest has mounted one.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// A disk that is read from.
    #[arg(long, default_value = "/dev/disk/pinlease/raw0")]
    pub source: PathBuf,
    /// What is measured; all when there is none.
    pub groups: Vec<Group>,
}

/// A run of measurements.
#[derive(Debug)]
pub(super) struct Session<'a> {
    options: &'a Options,
    dir: PathBuf,
}

/// Measures all of `options`, and prints a line for each figure.
///
/// # Errors
///
/// A measurement fails.
pub fn measure(options: &Options) -> Result<()> {
    let dir = format!("/mnt/{}", options.filesystem);
    let session = Session {
        options,
        dir: options.dir.clone().unwrap_or(dir.into()),
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    print(&Line::About {
        kernel: kernel.trim().into(),
    })?;
    // What is written is what is measured, however much is dirty.
    let _quiet = idle_flusher()?;
    let _limits = [
        Sysctl::set("vm.dirty_ratio", 95)?,
        Sysctl::set("vm.dirty_background_ratio", 90)?,
    ];
    let groups = match options.groups.as_slice() {
        [] => Group::select(&[])?,
        groups => groups.into(),
    };
    for group in groups {
        modules::unload_when_unused("pinlease")?;
        group
            .measure(&session)
            .with_context(|| group.name().to_owned())?;
    }
    Ok(())
}

fn print(line: &Line) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

impl Session<'_> {
    /// Prints a figure.
    pub(super) fn tell(&self, measured: Measured) -> Result<()> {
        print(&Line::Measured(measured))
    }

    pub(super) fn filesystem(&self) -> Filesystem {
        self.options.filesystem
    }

    pub(super) fn mode(&self) -> Mode {
        self.options.mode
    }

    /// `full`, or `quick` if that is wanted.
    pub(super) fn either<T>(&self, full: T, quick: T) -> T {
        if self.options.quick {
            quick
        } else {
            full
        }
    }

    /// Rounds, if not as many as usual were asked for.  Counting needs few.
    pub(super) fn rounds(&self) -> u32 {
        let usual = match self.mode() {
            Mode::Icount => self.either(5, 2),
            Mode::Wall => self.either(9, 2),
        };
        self.options.rounds.unwrap_or(usual)
    }

    /// A folder on a virtio disk.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A virtio disk to read from.
    pub(super) fn source(&self) -> &Path {
        &self.options.source
    }

    pub(super) fn load(&self, module: &str) -> Result<()> {
        if modules::is_loaded(module) {
            return Ok(());
        }
        modules::load(&self.options.modules, module)
    }

    pub(super) fn load_with(&self, module: &str, parameters: &std::ffi::CStr) -> Result<()> {
        modules::load_with(&self.options.modules, module, parameters)
    }
}
