// SPDX-License-Identifier: GPL-2.0
//! How much is written to a disk.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nix::sys::stat::{major, minor};

/// Counts what is written to one disk, and how often it is flushed.
#[derive(Debug)]
pub struct WriteCounter {
    stat: PathBuf,
    sectors: u64,
    flushes: u64,
}

/// Numbers of Documentation/block/stat.rst, from 0: sectors written, and flushes
/// that are over.
const SECTORS: usize = 6;
const FLUSHES: usize = 15;

impl WriteCounter {
    /// Begins to count for the disk that the filesystem of `path` is on.
    ///
    /// # Errors
    ///
    /// The filesystem is not on a disk.
    pub fn of(path: &Path) -> Result<Self> {
        let source = source_of(&fs::canonicalize(path)?)?;
        let rdev = fs::metadata(&source)
            .with_context(|| format!("disk {}", source.display()))?
            .rdev();
        let stat = format!("/sys/dev/block/{}:{}/stat", major(rdev), minor(rdev));
        let stat = PathBuf::from(stat);
        Ok(Self {
            sectors: statistic(&stat, SECTORS)?,
            flushes: statistic(&stat, FLUSHES)?,
            stat,
        })
    }

    /// Bytes written since then.
    ///
    /// # Errors
    ///
    /// The disk is gone.
    pub fn bytes(&self) -> Result<u64> {
        Ok((statistic(&self.stat, SECTORS)? - self.sectors) * 512)
    }

    /// How often it has flushed its cache since then.
    ///
    /// # Errors
    ///
    /// The disk is gone.
    pub fn flushes(&self) -> Result<u64> {
        Ok(statistic(&self.stat, FLUSHES)? - self.flushes)
    }
}

fn statistic(stat: &Path, number: usize) -> Result<u64> {
    let text = fs::read_to_string(stat).context("statistics of the disk")?;
    let mut fields = text.split_whitespace();
    Ok(fields.nth(number).context("short statistics")?.parse()?)
}

/// The source of the mount that `path` is on; `st_dev` does not do, since
/// btrfs has device numbers of its own.
///
/// # Errors
///
/// It is on none.
pub fn source_of(path: &Path) -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            let point = Path::new(mount.split(' ').nth(4)?);
            path.starts_with(point)
                .then_some((point, source.split(' ').nth(1)?))
        })
        // Later mounts cover earlier ones of the same place.
        .max_by_key(|(point, _)| point.as_os_str().len())
        .map(|(_, source)| source.into())
        .with_context(|| format!("no mount for {}", path.display()))
}
