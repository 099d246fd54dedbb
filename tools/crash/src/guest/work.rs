// SPDX-License-Identifier: GPL-2.0
//! The working guest: devices write, files are made durable in every way, and what is durable is published, until the
//! power is cut.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure, Context, Result};
use clap::Args;
use fastrand::Rng;
use nix::unistd::{sync, syncfs};
use selftests::{
    harness::Side,
    support::{
        modules,
        process::{spawn, Forked},
        subvolume,
        sysctl::{hasty_flusher, idle_flusher, Sysctl},
        Filesystem,
    },
};

use super::{
    device::Device,
    format::{attach, format},
    neighbours, others,
    publisher::{Publisher, DEVICES, NEIGHBOURS},
    recipe::{Episode, Flusher, Recipe, Way},
};
use crate::{mutant::Mutant, record::Fact};

/// Where the filesystem is mounted: not where the guest's first process would want to unmount it.
pub const ROOT: &str = "/tmp/crash";

/// The devices' folder in it; on btrfs, a subvolume.
const FOLDER: &str = "devices";

/// What to do.
#[derive(Args, Debug)]
pub struct Options {
    /// The disk, which is written over.
    #[arg(long)]
    disk: PathBuf,
    /// The filesystem to make on it.
    #[arg(long, value_enum)]
    filesystem: Filesystem,
    /// How the memory is pinned.
    #[arg(long, value_enum)]
    side: Side,
    /// Decides what happens.
    #[arg(long)]
    seed: u64,
    /// Break something.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
    /// Folder of pinlease.ko and dmasim.ko.
    #[arg(long, default_value = "/pinlease")]
    modules: PathBuf,
}

/// Works without end.
///
/// # Errors
///
/// Something fails; a call that asked for durability, for instance.
pub fn run(options: &Options) -> Result<()> {
    let Options {
        disk,
        filesystem,
        seed,
        ..
    } = options;
    volatile_cache(disk)?;
    modules::ensure(&options.modules, options.side).context("loading modules")?;
    format(disk, *filesystem)?;
    let root = Path::new(ROOT);
    attach(disk, *filesystem, root)?;
    if *filesystem == Filesystem::Btrfs {
        subvolume::create(root, FOLDER)?;
    } else {
        fs::create_dir(root.join(FOLDER))?;
    }
    let recipe = Recipe::new(*seed);
    eprintln!("{recipe:?}");
    let _flusher = flusher(recipe.flusher)?;
    let publisher = |slot| Publisher::new(disk, *filesystem, slot, *seed);
    let mut beside = publisher(NEIGHBOURS)?;
    let mut children = vec![spawn(|| {
        neighbours::run(*filesystem, root, FOLDER, *seed, &mut beside)
    })?];
    children.push(spawn(|| others::squeeze(recipe.pressure, *seed))?);
    if recipe.others {
        children.push(spawn(|| others::ask(&root.join(FOLDER), *seed))?);
    }
    let mut work = Work {
        options,
        root,
        random: Rng::with_seed(seed.wrapping_mul(31)),
        publisher: publisher(DEVICES)?,
        children,
        files: 0,
        said: false,
    };
    work.publisher.publish(vec![Fact::Begin])?;
    let mut old = Vec::new();
    for number in 0.. {
        let new = work
            .episode(&Episode::new(*seed, number))
            .with_context(|| format!("episode {number}"))?;
        work.remove(std::mem::replace(&mut old, new))?;
    }
    Ok(())
}

/// Nothing that follows means anything on a disk that does not need to be flushed.
fn volatile_cache(disk: &Path) -> Result<()> {
    let device = disk.canonicalize()?;
    let name = device.file_name().context("name of the disk")?;
    let path = Path::new("/sys/block").join(name).join("queue/write_cache");
    let kind = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    ensure!(kind.trim() == "write back", "the disk's cache: {kind}");
    Ok(())
}

fn flusher(flusher: Flusher) -> Result<Option<[Sysctl; 2]>> {
    match flusher {
        Flusher::Usual => Ok(None),
        Flusher::Hasty => hasty_flusher().map(Some),
        Flusher::Idle => idle_flusher().map(Some),
    }
}

/// The process with the devices.
struct Work<'a> {
    options: &'a Options,
    root: &'a Path,
    random: Rng,
    publisher: Publisher,
    children: Vec<Forked>,
    /// Files so far.
    files: u64,
    /// Whether the host knows that it may cut the power.
    said: bool,
}

impl Work<'_> {
    /// Makes files and devices, asks for durability and publishes, and lets go of them; returns the files.
    fn episode(&mut self, episode: &Episode) -> Result<Vec<String>> {
        let mut devices = Vec::new();
        for recipe in &episode.devices {
            self.files += 1;
            let side = self.options.side;
            devices.push(Device::new(*recipe, side, self.root, FOLDER, self.files)?);
        }
        // The files' names.
        syncfs(devices[0].open_file()).context("syncfs")?;
        for _ in 0..episode.rounds {
            self.alive()?;
            self.round(&devices)?;
            if !self.said {
                self.said = true;
                println!("running");
            }
        }
        let names = devices.iter().map(|device| device.file().into()).collect();
        for device in devices {
            let facts = device.finish()?;
            self.publisher.publish(facts)?;
        }
        Ok(names)
    }

    /// One of the devices is made durable, or all of them.
    fn round(&mut self, devices: &[Device]) -> Result<()> {
        let way = Way::any(&mut self.random);
        let chosen = self.random.usize(..devices.len());
        devices[chosen].next_pass()?;
        let mut holds = Vec::new();
        for (index, device) in devices.iter().enumerate() {
            let all = matches!(way, Way::Syncfs | Way::Sync);
            let Some(generation) = device.completed()? else {
                continue;
            };
            if index != chosen && !all {
                continue;
            }
            let (mut first, mut pages) = (0, device.pinned());
            if way == Way::Msync {
                first = self.random.u64(..pages);
                pages = self.random.u64(1..=pages - first);
            }
            device.mark(first, pages)?;
            holds.push((device, first, pages, generation));
        }
        let mut facts: Vec<_> = holds
            .iter()
            .map(|(device, first, pages, generation)| device.holds(*first, *pages, *generation))
            .collect();
        if self.options.mutant == Some(Mutant::Early) {
            self.publisher.publish(facts.clone())?;
        }
        let (device, first, pages, _) = holds
            .iter()
            .find(|(device, ..)| std::ptr::eq(*device, &devices[chosen]))
            .context("a device that wrote has no generation")?;
        let file = device.open_file();
        match way {
            Way::Fsync => file.sync_all().context("fsync"),
            Way::Datasync => file.sync_data().context("fdatasync"),
            Way::Msync => device.msync(*first, *pages),
            Way::Syncfs => syncfs(file).context("syncfs"),
            Way::Sync => {
                sync();
                Ok(())
            }
        }?;
        for device in devices {
            facts.push(device.reached()?);
        }
        self.publisher.publish(facts)
    }

    /// Nothing is required of these files any more, and then they go.
    fn remove(&mut self, files: Vec<String>) -> Result<()> {
        let forget = files.iter().map(|file| Fact::Forget { file: file.clone() });
        self.publisher.publish(forget.collect())?;
        for file in files {
            let path = self.root.join(file);
            fs::remove_file(&path)?;
            // Of clones only.
            let _ = fs::remove_file(path.with_extension("source"));
        }
        Ok(())
    }

    fn alive(&self) -> Result<()> {
        for child in &self.children {
            if let Some(status) = child.ended()? {
                bail!("a process beside the devices ended: {status:?}");
            }
        }
        Ok(())
    }
}
