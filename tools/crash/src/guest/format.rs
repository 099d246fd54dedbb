// SPDX-License-Identifier: GPL-2.0
//! The filesystem on the disk: smaller than the disk, by what lies behind it.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use nix::mount::{mount, MsFlags};
use selftests::support::{command::output, Filesystem};

use crate::geometry::filesystem_size;

/// Makes the filesystem.
///
/// # Errors
///
/// mkfs fails.
pub fn format(disk: &Path, filesystem: Filesystem) -> Result<()> {
    let disk = disk.to_str().context("name of the disk")?;
    let bytes = filesystem_size(filesystem);
    let blocks = format!("{}k", bytes / 1024);
    let size = match filesystem {
        Filesystem::Xfs => format!("size={bytes}"),
        _ => bytes.to_string(),
    };
    let (program, arguments): (_, &[&str]) = match filesystem {
        // Nothing that is written later, in the background; a small journal goes round more often.
        Filesystem::Ext4 => (
            "mkfs.ext4",
            &[
                "-q",
                "-F",
                "-J",
                "size=4",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                disk,
                &blocks,
            ],
        ),
        Filesystem::Xfs => (
            "mkfs.xfs",
            &["-q", "-f", "-d", &size, "-d", "agcount=2", disk],
        ),
        Filesystem::Btrfs => ("mkfs.btrfs", &["-q", "-f", "-b", &size, disk]),
    };
    output(program, arguments)?;
    Ok(())
}

/// Mounts it, which replays its log if there is one.
///
/// # Errors
///
/// mount(2)'s.
pub fn attach(disk: &Path, filesystem: Filesystem, place: &Path) -> Result<()> {
    std::fs::create_dir_all(place)?;
    let name = Some(filesystem.name());
    mount(Some(disk), place, name, MsFlags::empty(), None::<&str>)?;
    Ok(())
}

/// What the filesystem's own checker complains about, if it does. Nothing may be mounted.
///
/// # Errors
///
/// The checker cannot be started.
pub fn check(disk: &Path, filesystem: Filesystem) -> Result<Option<String>> {
    let (program, arguments) = filesystem.checker();
    let mut command = Command::new(program);
    command.args(arguments);
    if filesystem == Filesystem::Btrfs {
        command.arg("--check-data-csum");
    }
    let output = command
        .arg(disk)
        .output()
        .with_context(|| format!("starting {program}"))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Ok(Some(format!(
        "{program}: {}: {}",
        output.status,
        said.trim()
    )))
}
