// SPDX-License-Identifier: GPL-2.0
//! A guest that measures.

use std::fmt;

use anyhow::{ensure, Result};
use demo::parts::run;
use selftests::support::Filesystem;

use super::Options;
use crate::{guest::Group, measured::Line, mode::Mode};

/// Its memory: files and null_blk's disks are in it.
const MEMORY: &str = "4G";

/// A boot, and what is measured in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boot {
    /// What its clock counts.
    pub mode: Mode,
    /// Processors.
    pub cpus: u32,
    /// The filesystem.
    pub filesystem: Filesystem,
    groups: Vec<Group>,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, cpus) = (self.mode.name(), self.cpus);
        write!(f, "{}, {mode}, processors: {cpus}", self.filesystem)
    }
}

/// The filesystem on which is measured when none is named.
const FILESYSTEM: Filesystem = Filesystem::Ext4;

/// All boots that are needed.
///
/// # Errors
///
/// A name is that of nothing.
pub fn boots(options: &Options) -> Result<Vec<Boot>> {
    let wanted = Group::select(&options.names)?;
    let mut boots = Vec::new();
    for filesystem in options.parts.filesystems_or(&[FILESYSTEM]) {
        for mode in options.modes() {
            for &cpus in Group::all_cpus(mode) {
                let groups: Vec<_> = wanted
                    .iter()
                    .copied()
                    .filter(|group| group.cpus(mode).contains(&cpus))
                    .collect();
                if !groups.is_empty() {
                    boots.push(Boot {
                        mode,
                        cpus,
                        filesystem,
                        groups,
                    });
                }
            }
        }
    }
    Ok(boots)
}

impl Boot {
    /// Boots it, and calls `told` for what it tells and `other` for each other line.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends with an error.
    pub fn run(
        &self,
        options: &Options,
        mut told: impl FnMut(Line),
        other: impl Fn(&str),
    ) -> Result<()> {
        let Options { parts, timeout, .. } = options;
        let mut command = parts.boot(MEMORY);
        if self.mode == Mode::Icount {
            command.arg("--icount");
        }
        command
            .args(["--cpus", &self.cpus.to_string()])
            .args(["--timeout", &timeout.to_string()])
            .args(["--disk", &format!("{}:3G", self.filesystem)])
            .args(["--disk", "raw:512M"]);
        for file in [
            parts.programs.join("pinlease-bench"),
            parts.module("pinlease.ko"),
            parts.module("pinbench.ko"),
        ] {
            command.arg("--file").arg(file);
        }
        command
            .args(["--", "/pinlease/pinlease-bench", "measure"])
            .args(["--filesystem", self.filesystem.name()])
            .args(["--mode", self.mode.name()]);
        if options.quick {
            command.arg("--quick");
        }
        if let Some(rounds) = options.rounds {
            command.args(["--rounds", &rounds.to_string()]);
        }
        command.args(self.groups.iter().map(|group| group.name()));
        let status = run(&mut command, |text| {
            match serde_json::from_str(text) {
                Ok(line) => told(line),
                Err(_) => other(text),
            }
            Ok(())
        })?;
        ensure!(status.success(), "the guest ended with {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn of(arguments: &[&str]) -> Vec<Boot> {
        boots(&Options::parse_from([&["bench"], arguments].concat())).unwrap()
    }

    #[test]
    fn only_what_is_needed_is_booted() {
        let all = of(&[]);
        assert!(all.iter().any(|boot| boot.mode == Mode::Icount));
        assert!(all.iter().any(|boot| boot.cpus == 4));
        assert!(all.iter().all(|boot| boot.filesystem == FILESYSTEM));
        let one = of(&["--mode", "icount", "--fs", "xfs", "pin_4k"]);
        assert_eq!(one.len(), 1);
        assert_eq!((one[0].cpus, one[0].filesystem), (1, Filesystem::Xfs));
        assert_eq!(one[0].groups, [Group::Pins]);
        let named = of(&["--mode=icount", "--fs=ext4", "--fs=xfs", "--fs=btrfs"]);
        let filesystems: Vec<_> = named.iter().map(|boot| boot.filesystem).collect();
        assert_eq!(filesystems, Filesystem::ALL);
        assert!(boots(&Options::parse_from(["bench", "nonsense"])).is_err());
    }
}
