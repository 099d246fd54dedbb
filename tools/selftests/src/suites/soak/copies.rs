// SPDX-License-Identifier: GPL-2.0
//! Clones of what is not leased and snapshots of everything, compared later
//! with what they were.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::{
    layout::{DEVICES, PLAIN, PLAIN_PAGES},
    tally::Count,
    Ground,
};
use crate::{
    harness::TestResult,
    support::{
        clone::clone_range, page_size, subvolume, sysctl::drop_caches, DirectReader, Filesystem,
        Requirement,
    },
};

/// Kept at a time.
const KEPT: usize = 8;

/// Something that must not change any more.
struct Copy {
    /// Files, their pages, and what they told of their contents.
    files: Vec<(PathBuf, u64, u64)>,
    /// Name of the snapshot, if it is one.
    snapshot: Option<String>,
}

impl Copy {
    fn new(files: Vec<(PathBuf, u64)>, snapshot: Option<String>) -> Result<Self> {
        let files = files
            .into_iter()
            .map(|(path, pages)| {
                let digest = DirectReader::open(&path)?.digest(pages)?;
                Ok((path, pages, digest))
            })
            .collect::<Result<_>>()?;
        Ok(Self { files, snapshot })
    }

    fn compare(&self, ground: &Ground) -> TestResult {
        for (path, pages, digest) in &self.files {
            ground.tally.count(Count::Compared);
            let now = DirectReader::open(path)?.digest(*pages)?;
            if now != *digest {
                ground.tally.count(Count::Changed);
            }
            ensure!(now == *digest, "{} has changed", path.display());
        }
        Ok(())
    }

    fn delete(self, ground: &Ground) -> TestResult {
        if let Some(name) = self.snapshot {
            return subvolume::delete(&ground.copies, &name);
        }
        for (path, ..) in self.files {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Runs until the end; then compares all that is left.
pub fn run(ground: &Ground) -> TestResult {
    let mut random = ground.random(103);
    ground.wait_for_devices();
    let mut kept = VecDeque::new();
    let mut number = 0;
    ground.until_stopped(|| {
        number += 1;
        kept.extend(make(ground, &mut random, number)?);
        if let Some(copy) = random.choice(&kept) {
            copy.compare(ground)?;
        }
        if kept.len() > KEPT {
            if let Some(oldest) = kept.pop_front() {
                oldest.compare(ground)?;
                oldest.delete(ground)?;
            }
        }
        std::thread::sleep(Duration::from_millis(random.u64(..600)));
        Ok(())
    })?;
    drop_caches()?;
    kept.iter().try_for_each(|copy| copy.compare(ground))
}

/// Makes one of one kind or another; `None`: the lease refused.
fn make(ground: &Ground, random: &mut fastrand::Rng, number: u64) -> Result<Option<Copy>> {
    // The first ones are one of each kind, however short the soak is.
    let is_snapshot = number == 1 || number > 2 && random.u8(..3) == 0;
    if ground.filesystem == Filesystem::Btrfs && is_snapshot {
        return snapshot(ground, number).map(Some);
    }
    let mut sources = vec![(ground.files.join(PLAIN), 0..PLAIN_PAGES)];
    for device in &DEVICES {
        sources.extend(device.unleased().map(|part| (device.path(ground), part)));
    }
    let source = if number <= 2 {
        0
    } else {
        random.usize(..sources.len())
    };
    let (path, pages) = &sources[source];
    clone(ground, path, pages, number)
}

/// A clone, or where the filesystem has none a copy.
fn clone(ground: &Ground, path: &Path, pages: &Range<u64>, number: u64) -> Result<Option<Copy>> {
    let size = page_size() as u64;
    let (offset, count) = (pages.start * size, pages.end - pages.start);
    let from = OpenOptions::new().read(true).write(true).open(path)?;
    let target = ground.copies.join(format!("clone{number}"));
    let to = File::create_new(&target)?;
    if ground.filesystem == Filesystem::Ext4 {
        copy(&from, offset, count * size, &to)?;
        ground.tally.count(Count::Copies);
    } else {
        match clone_range(&from, offset, count * size, &to, 0) {
            Ok(()) => ground.tally.count(Count::Clones),
            Err(Errno::ETXTBSY) => {
                ground.tally.count(Count::Refused);
                fs::remove_file(target)?;
                return Ok(None);
            }
            Err(errno) => return Err(errno).context(format!("cloning {pages:?} of {path:?}")),
        }
    }
    to.sync_all().context("fsync of a clone")?;
    // Some generation, but nothing foreign.
    DirectReader::open(&target)?
        .part(0, count, pages.start, Requirement::AtLeast(0))?
        .all_kept()?;
    Copy::new(vec![(target, count)], None).map(Some)
}

fn copy(from: &File, offset: u64, length: u64, to: &File) -> Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut from = from;
    from.seek(SeekFrom::Start(offset))?;
    let copied = io::copy(&mut from.take(length), &mut { to }).context("copying")?;
    ensure!(copied == length, "copied {copied} bytes of {length}");
    Ok(())
}

/// A snapshot of all files, under the devices.
fn snapshot(ground: &Ground, number: u64) -> Result<Copy> {
    let name = format!("snapshot{number}");
    let folder = subvolume::snapshot(&ground.files, &ground.copies, &name)?;
    ground.tally.count(Count::Subvolumes);
    let mut files = Vec::new();
    for device in &DEVICES {
        let path = folder.join(device.name);
        let pages = device.leased.end - device.leased.start;
        DirectReader::open(&path)?
            .part(device.leased.start, pages, 0, Requirement::AtLeast(0))?
            .all_kept()
            .with_context(|| format!("{name}, {}", device.name))?;
        files.push((path, device.pages));
    }
    files.push((folder.join(PLAIN), PLAIN_PAGES));
    Copy::new(files, Some(name))
}
