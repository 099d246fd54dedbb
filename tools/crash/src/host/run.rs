// SPDX-License-Identifier: GPL-2.0
//! A run: a guest that works until its power is cut, and the log of its disk.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{ensure, Context, Result};
use fastrand::Rng;
use selftests::{harness::Side, support::Filesystem};
use serde::{Deserialize, Serialize};

use super::options::Options;
use crate::{cache::Disk, geometry::disk_size, mutant::Mutant, record};

/// Milliseconds between the first thing published and the end.
const MILLISECONDS: std::ops::Range<u64> = 4_000..12_000;

/// The guest's: little enough to be filled soon.
const MEMORY: &str = "640M";

/// Seconds after which a guest is given up.
const TIMEOUT: u64 = 600;

/// Of one run, what can be repeated, and what makes its cuts the same.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Run {
    /// The filesystem.
    pub filesystem: Filesystem,
    /// How the memory was pinned.
    pub side: Side,
    /// Decides what the guest does and where the power is cut.
    pub seed: u64,
    /// How many cuts there are.
    pub cuts: u32,
    /// What was broken.
    pub mutant: Option<Mutant>,
}

impl Run {
    /// The runs that have `cuts` cuts together, none more than `most`.
    pub fn all(
        filesystem: Filesystem,
        side: Side,
        options: &Options,
        seed: u64,
    ) -> impl Iterator<Item = Self> {
        let (cuts, most, mutant) = (options.cuts, options.per_run, options.mutant);
        // The same for both sides.
        let number = Filesystem::ALL
            .iter()
            .position(|other| *other == filesystem);
        let mut random = Rng::with_seed(seed.wrapping_mul(4) + number.unwrap_or(0) as u64);
        (0..cuts.div_ceil(most)).map(move |index| Self {
            filesystem,
            side,
            // Short enough for every reader of JSON.
            seed: random.u64(..1 << 48),
            cuts: most.min(cuts - index * most),
            mutant,
        })
    }

    /// What a disk does under this run.
    pub fn disk(&self, published: &[record::Published]) -> Disk {
        let begin = published.first().map_or(0, |first| first.position);
        match self.mutant {
            Some(Mutant::LyingDisk) => Disk::Lying(begin),
            Some(Mutant::Early) | None => Disk::Honest,
        }
    }

    /// Boots the guest and cuts its power; `log` is made.
    ///
    /// # Errors
    ///
    /// The guest fails before, or its kernel complains under pinlease.
    pub fn boot(&self, options: &Options, log: &Path) -> Result<()> {
        let delay = Rng::with_seed(!self.seed).u64(MILLISECONDS);
        let parts = &options.parts;
        let timeout = TIMEOUT * u64::from(parts.kernel.slowness());
        let mut command = parts.boot(MEMORY);
        command
            .args(["--timeout", &timeout.to_string()])
            .args(["--disk", &format!("raw:{}", disk_size(self.filesystem))])
            .arg("--disk-log")
            .arg(joined("raw0=", log))
            .args(["--power-cut", &delay.to_string()])
            .arg("--console")
            .arg(log.with_extension("console"));
        if self.side == Side::Stock {
            // The faults that are to be shown may be loud.
            command.arg("--allow-findings");
        }
        for file in [
            parts.programs.join("crash-guest"),
            parts.module("pinlease.ko"),
            parts.module("dmasim.ko"),
        ] {
            command.arg("--file").arg(file);
        }
        command
            .args(["--", "/pinlease/crash-guest", "work"])
            .args(["--disk", "/dev/disk/pinlease/raw0"])
            .args(["--filesystem", self.filesystem.name()])
            .args(["--side", self.side.name()])
            .args(["--seed", &self.seed.to_string()]);
        if let Some(mutant) = self.mutant {
            command.args(["--mutant", mutant.name()]);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("starting {}", parts.vm.display()))?;
        ensure!(
            output.status.success(),
            "{self:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    /// Keeps the log in a folder of its own, below `folder`, for [`Run::kept`].
    ///
    /// # Errors
    ///
    /// It cannot be copied.
    pub fn keep(&self, log: &Path, folder: &Path) -> Result<PathBuf> {
        let name = format!("{}-{}-{}", self.filesystem, self.side.name(), self.seed);
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        fs::copy(log, folder.join("log")).context("keeping a log")?;
        serde_json::to_writer_pretty(File::create(folder.join("run.json"))?, self)?;
        Ok(folder)
    }

    /// A run that was kept, and its log.
    ///
    /// # Errors
    ///
    /// There is none in `folder`.
    pub fn kept(folder: &Path) -> Result<(Self, PathBuf)> {
        let path = folder.join("run.json");
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        Ok((serde_json::from_reader(file)?, folder.join("log")))
    }
}

fn joined(before: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(before);
    text.push(path);
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn all(side: Side, arguments: &[&str]) -> Vec<Run> {
        let options = Options::parse_from([&["crash"], arguments].concat());
        Run::all(Filesystem::Xfs, side, &options, 5).collect()
    }

    #[test]
    fn the_cuts_are_as_many_as_were_asked_for() {
        for (cuts, runs) in [("10", 1), ("30", 1), ("31", 2), ("300", 10)] {
            let all = all(Side::Stock, &["--cuts", cuts]);
            assert_eq!(all.len(), runs);
            let sum: u32 = all.iter().map(|run| run.cuts).sum();
            assert_eq!(sum.to_string(), cuts);
        }
    }

    #[test]
    fn both_sides_do_the_same_and_each_run_something_else() {
        let seeds = |side| {
            let all = all(side, &["--cuts", "90"]);
            all.iter().map(|run| run.seed).collect::<Vec<_>>()
        };
        assert_eq!(seeds(Side::Stock), seeds(Side::Pinlease));
        assert_ne!(seeds(Side::Stock)[0], seeds(Side::Stock)[1]);
    }

    #[test]
    fn what_is_kept_can_be_found_again() {
        let folder = std::env::temp_dir().join(format!("crash-kept-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("some.log");
        fs::write(&log, b"log").unwrap();
        let run = all(Side::Pinlease, &["--mutant", "lying-disk"])[0].clone();
        let kept = run.keep(&log, &folder).unwrap();
        let (again, log) = Run::kept(&kept).unwrap();
        assert_eq!(again, run);
        assert_eq!(fs::read(log).unwrap(), b"log");
        fs::remove_dir_all(folder).unwrap();
    }
}
