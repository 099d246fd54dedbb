// SPDX-License-Identifier: GPL-2.0
//! Snapshots of a btrfs subvolume while devices write into its files, also into
//! files that are written in place (`chattr +C`).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};

use crate::{
    harness::{skip, Context, Side, TestResult},
    suites::s02_tearing::judge,
    support::{
        flags, subvolume, sysctl::drop_caches, DirectReader, Filesystem, Fill, Layer, Requirement,
        Rig, RigOptions, Scratch,
    },
};

/// Snapshots made.
const ROUNDS: u64 = 6;

/// Files, and how they are filled; those in `nocow` are written in place.
const FILES: [(&str, Fill); 4] = [
    ("faulted", Fill::Faulted),
    ("written", Fill::Written),
    ("nocow/faulted", Fill::Faulted),
    ("nocow/written", Fill::Written),
];

/// A file of a snapshot and what it told when it was new.
struct Seen {
    path: PathBuf,
    digest: u64,
}

/// Makes snapshots under writing devices, and compares them in the end.
pub fn check(context: &Context) -> TestResult {
    if context.filesystem()? != Filesystem::Btrfs {
        return skip("only btrfs has snapshots");
    }
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, Filesystem::Btrfs, Layer::Plain)?;
    let (rigs, seen) = make(context, &scratch)?;
    if context.side == Side::Stock {
        return Ok(());
    }
    for rig in &rigs {
        rig.engine.stop()?;
        let last = rig.engine.status()?.completed;
        rig.fsync()?;
        rig.census(Requirement::AtLeast(last))?.all_kept()?;
    }
    drop_caches()?;
    for Seen { path, digest } in &seen {
        let now = DirectReader::open(path)?.digest(context.pages)?;
        ensure!(now == *digest, "{} has changed", path.display());
    }
    let errors = judge(&scratch)?;
    println!("{} files compared, {errors} checksum errors", seen.len());
    ensure!(errors == 0, "{errors} checksum errors");
    drop(rigs);
    scratch.check()
}

fn make(context: &Context, scratch: &Scratch) -> Result<(Vec<Rig>, Vec<Seen>)> {
    let files = subvolume::create(scratch.dir(), "files")?;
    let nocow = files.join("nocow");
    fs::create_dir(&nocow)?;
    flags::add(&File::open(&nocow)?, flags::NO_COPY_ON_WRITE).context("chattr +C")?;
    let mut rigs = Vec::new();
    for (name, fill) in FILES {
        let options = RigOptions::new(context.side, context.pages, fill);
        rigs.push(options.build(&files.join(name))?);
    }
    if context.side == Side::Stock {
        stock(context, scratch, &files, &rigs)?;
        return Ok((rigs, Vec::new()));
    }
    for rig in &rigs {
        rig.engine.start(1, Duration::ZERO)?;
    }
    let mut seen = Vec::new();
    let mut durable = vec![0; rigs.len()];
    for round in 0..ROUNDS {
        // Every other one when nothing but the device has happened.
        if round % 2 == 0 {
            for (rig, durable) in rigs.iter().zip(&mut durable) {
                *durable = rig.engine.wait_passes(1)?.completed;
                rig.fsync()?;
            }
        }
        let name = format!("snapshot{round}");
        let folder = subvolume::snapshot(&files, scratch.dir(), &name)?;
        for ((file, _), durable) in FILES.iter().zip(&durable) {
            let path = folder.join(file);
            let mut reader = DirectReader::open(&path)?;
            reader
                .census(context.pages, Requirement::AtLeast(*durable))?
                .all_kept()
                .with_context(|| format!("{name}/{file}, generation {durable}"))?;
            let digest = reader.digest(context.pages)?;
            seen.push(Seen { path, digest });
        }
    }
    Ok((rigs, seen))
}

/// Without a lease, snapshots and original stay at the first generation.
fn stock(context: &Context, scratch: &Scratch, files: &Path, rigs: &[Rig]) -> TestResult {
    for generation in 1..=2 {
        for rig in rigs {
            rig.engine.write_all(generation)?;
            rig.fsync()?;
        }
    }
    let folder = subvolume::snapshot(files, scratch.dir(), "stock")?;
    for ((name, _), rig) in FILES.iter().zip(rigs) {
        let wanted = Requirement::Exactly(2);
        let snapshot = DirectReader::open(&folder.join(name))?.census(context.pages, wanted)?;
        let original = rig.census(wanted)?;
        println!("{name}: original {original}, snapshot {snapshot}");
        ensure!(
            original.lost == context.pages && snapshot.lost == context.pages,
            "the control shows no loss"
        );
    }
    Ok(())
}
