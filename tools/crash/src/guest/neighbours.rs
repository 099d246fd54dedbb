// SPDX-License-Identifier: GPL-2.0
//! What happens beside the devices' files: a file that a program writes, clones of it, snapshots of all, holes and
//! truncation. What is durable of it is published, too.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use fastrand::Rng;
use nix::fcntl::{fallocate, FallocateFlags};
use selftests::support::{
    clone::clone_file, page_size, stamp, subvolume, Filesystem, Fill, Mapped,
};

use super::publisher::Publisher;
use crate::record::{Fact, GENERATIONS};

/// Our folder.
const FOLDER: &str = "neighbours";

/// Pages of a file.
const PAGES: u64 = 24;

/// Clones that are kept, and snapshots.
const KEPT: usize = 2;

/// Above all numbers of the devices' files.
const BASE: u64 = 1000 * GENERATIONS;

struct Neighbours<'a> {
    filesystem: Filesystem,
    root: &'a Path,
    random: Rng,
    publisher: &'a mut Publisher,
    plain: Mapped,
    generation: u64,
    clones: VecDeque<String>,
    snapshots: VecDeque<String>,
}

/// Runs without end.
///
/// # Errors
///
/// A call fails.
pub fn run(
    filesystem: Filesystem,
    root: &Path,
    devices: &str,
    seed: u64,
    publisher: &mut Publisher,
) -> Result<()> {
    fs::create_dir(root.join(FOLDER))?;
    let plain = Mapped::create(&root.join(FOLDER).join("plain"), PAGES, Fill::Written)?;
    File::open(root.join(FOLDER))?.sync_all()?;
    let mut neighbours = Neighbours {
        filesystem,
        root,
        random: Rng::with_seed(seed.wrapping_mul(37)),
        publisher,
        plain,
        generation: BASE,
        clones: VecDeque::new(),
        snapshots: VecDeque::new(),
    };
    for number in 0.. {
        neighbours.write()?;
        match neighbours.random.u8(..6) {
            0 | 1 => neighbours.clone(number)?,
            2 => neighbours.truncate()?,
            3 if filesystem == Filesystem::Btrfs => neighbours.snapshot(devices, number)?,
            _ => {}
        }
        thread::sleep(Duration::from_millis(neighbours.random.u64(..60)));
    }
    Ok(())
}

impl Neighbours<'_> {
    /// Publishes that a file holds the present generation, and if it is `finished` that this will not change.
    fn publish(&mut self, file: &str, finished: bool) -> Result<()> {
        let file = format!("{FOLDER}/{file}");
        let generation = self.generation;
        self.publisher.publish(vec![
            Fact::Holds {
                file: file.clone(),
                origin: 0,
                first: 0,
                pages: PAGES,
                generation,
                last: finished.then_some(generation),
            },
            Fact::Reached { file, generation },
        ])
    }

    /// A program's write, by write(2) or by stores, and its fsync.
    fn write(&mut self) -> Result<()> {
        self.generation += 1;
        if self.random.bool() {
            let mut bytes = vec![0; self.plain.length()];
            for (page, number) in bytes.chunks_exact_mut(page_size()).zip(0..) {
                stamp(page, number, self.generation);
            }
            self.plain.file().write_all_at(&bytes, 0)?;
        } else {
            self.plain.stamp_by_cpu(self.generation);
        }
        if self.random.bool() {
            self.plain.file().sync_all().context("fsync")?;
        } else {
            self.plain.file().sync_data().context("fdatasync")?;
        }
        self.publish("plain", false)
    }

    /// A clone of it; on ext4 a copy. An old one gets a hole, and then goes.
    fn clone(&mut self, number: u64) -> Result<()> {
        let folder = self.root.join(FOLDER);
        let name = format!("clone{number}");
        let to = File::create_new(folder.join(&name))?;
        if self.filesystem == Filesystem::Ext4 {
            io::copy(&mut File::open(self.plain.path())?, &mut &to)?;
        } else {
            clone_file(self.plain.file(), &to).context("FICLONE")?;
        }
        to.sync_all().context("fsync of a clone")?;
        File::open(&folder)?.sync_all()?;
        self.publish(&name, true)?;
        self.clones.push_back(name);
        if self.clones.len() <= KEPT {
            return Ok(());
        }
        let Some(oldest) = self.clones.pop_front() else {
            return Ok(());
        };
        let file = format!("{FOLDER}/{oldest}");
        self.publisher.publish(vec![Fact::Forget { file }])?;
        let path = folder.join(oldest);
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let length = self.random.i64(1..=i64::try_from(PAGES)? * 4096);
        fallocate(File::options().write(true).open(&path)?, flags, 0, length).context("punch")?;
        fs::remove_file(path)?;
        Ok(())
    }

    /// A file that grows and shrinks, of which nothing is required.
    fn truncate(&mut self) -> Result<()> {
        let path = self.root.join(FOLDER).join("truncated");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let at = self.random.u64(..1 << 18);
        file.write_all_at(&[0x5a; 5000], at)?;
        file.set_len(self.random.u64(..1 << 18))?;
        Ok(())
    }

    /// A snapshot of the devices' files, under the devices.
    fn snapshot(&mut self, devices: &str, number: u64) -> Result<()> {
        let folder = self.root.join(FOLDER);
        let name = format!("snapshot{number}");
        subvolume::snapshot(&self.root.join(devices), &folder, &name)?;
        self.snapshots.push_back(name);
        if self.snapshots.len() > KEPT {
            if let Some(oldest) = self.snapshots.pop_front() {
                subvolume::delete(&folder, &oldest)?;
            }
        }
        Ok(())
    }
}
