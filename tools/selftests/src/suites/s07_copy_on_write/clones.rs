// SPDX-License-Identifier: GPL-2.0
//! Clones made before a lease, under a pin, and beside a lease.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::needs_clones;
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        clone::{clone_file, clone_range},
        expect::errno,
        page_size,
        sysctl::drop_caches,
        Census, DirectReader, Engine, Filesystem, Fill, Mapped, Requirement, RigOptions,
    },
};

/// A clone; dropping it removes it.
struct Clone {
    path: PathBuf,
    pages: u64,
}

impl Clone {
    /// An empty file for a clone of `path`.
    fn create(path: &Path, pages: u64) -> Result<(Self, File)> {
        let path = path.with_extension("clone");
        let _ = fs::remove_file(&path);
        let file = File::create_new(&path).context("creating a clone")?;
        Ok((Self { path, pages }, file))
    }

    fn of(mapped: &Mapped) -> Result<Self> {
        let (clone, file) = Self::create(mapped.path(), mapped.pages())?;
        clone_file(mapped.file(), &file).context("FICLONE")?;
        file.sync_all().context("fsync of the clone")?;
        Ok(clone)
    }

    fn census(&self, requirement: Requirement) -> Result<Census> {
        DirectReader::open(&self.path)?.census(self.pages, requirement)
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// File and clone share all extents when the lease begins.
pub fn before(context: &Context, fill: Fill) -> TestResult {
    needs_clones(context)?;
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("s07"), context.pages, fill)?;
    let clone = Clone::of(&mapped)?;
    let rig = RigOptions::new(context.side, context.pages, fill).build_on(mapped)?;
    let mut census = Census::default();
    for generation in 1..=3 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
        census = rig.census(Requirement::Exactly(generation))?;
        println!("generation {generation}: {census}");
        if context.side != Side::Stock {
            census.all_kept()?;
        }
        clone.census(Requirement::Exactly(0))?.all_kept()?;
    }
    drop(rig.release()?);
    drop_caches()?;
    clone.census(Requirement::Exactly(0))?.all_kept()?;
    if context.side == Side::Stock {
        ensure!(
            census.lost == context.pages,
            "the control shows no loss: {census}"
        );
    }
    Ok(())
}

/// Under a pin nobody can clone; when it is gone the clone has everything.
/// Without a lease the clone is made, and on XFS written over when a driver lets
/// go of its pages and makes them dirty: the filesystem knows nothing of that
/// and takes the blocks for the original's own.
pub fn under(context: &Context) -> TestResult {
    needs_clones(context)?;
    context.load_modules()?;
    let path = context.path("s07");
    if context.side == Side::Stock {
        let mapped = Mapped::create(&path, context.pages, Fill::Faulted)?;
        return damaged(context, &mapped);
    }
    let rig = RigOptions::new(context.side, context.pages, Fill::Faulted).build(&path)?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    let (clone, file) = Clone::create(&path, context.pages)?;
    let refused = clone_file(rig.mapped.file(), &file);
    errno("clone of a leased file", refused, Errno::ETXTBSY)?;
    rig.engine.write_all(2)?;
    let mapped = rig.release()?;
    drop((file, clone));
    let clone = Clone::of(&mapped)?;
    mapped.stamp_by_cpu(3);
    mapped.file().sync_all()?;
    clone.census(Requirement::Exactly(2))?.all_kept()?;
    DirectReader::open(mapped.path())?
        .census(mapped.pages(), Requirement::Exactly(3))?
        .all_kept()
}

fn damaged(context: &Context, mapped: &Mapped) -> TestResult {
    let engine = Engine::open()?;
    engine.pin_raw_dirtying(mapped.address(0), mapped.length())?;
    engine.write_all(1)?;
    mapped.file().sync_all()?;
    let clone = Clone::of(mapped)?;
    clone.census(Requirement::Exactly(1))?.all_kept()?;
    engine.write_all(2)?;
    drop(engine);
    let synced = mapped.file().sync_all();
    drop_caches()?;
    let census = clone.census(Requirement::Exactly(1))?;
    println!("fsync: {synced:?}, clone: {census}");
    if context.filesystem()? == Filesystem::Btrfs {
        // It takes note of pages that became dirty without it, and reserves
        // then.
        return census.all_kept();
    }
    ensure!(
        census.lost == context.pages,
        "the control shows no damaged clone"
    );
    Ok(())
}

/// What nobody leased of a leased file can be cloned while the device writes.
pub fn beside(context: &Context) -> TestResult {
    const LEASED: u64 = 64;
    const PAGES: u64 = 3 * LEASED;
    needs_clones(context)?;
    context.load_modules()?;
    // Small folios: a large one that is pinned would reach out of the lease.
    let rig = RigOptions::new(context.side, PAGES, Fill::Faulted)
        .pin(LEASED, LEASED)
        .build(&context.path("s07"))?;
    rig.engine.start(1, Duration::ZERO)?;
    let size = page_size() as u64;
    let mut reader = DirectReader::open(rig.mapped.path())?;
    for round in 0..5 {
        for first in [0, 2 * LEASED] {
            let published = rig.engine.wait_passes(1)?.completed;
            let (clone, file) = Clone::create(rig.mapped.path(), LEASED)?;
            clone_range(rig.mapped.file(), first * size, LEASED * size, &file, 0)
                .with_context(|| format!("cloning pages {first}+{LEASED}"))?;
            rig.fsync()?;
            file.sync_all()?;
            let part = |path: &Path, from, number, wanted| {
                DirectReader::open(path)?.part(from, LEASED, number, wanted)
            };
            part(&clone.path, 0, first, Requirement::Exactly(round))?.all_kept()?;
            part(rig.mapped.path(), first, first, Requirement::Exactly(round))?.all_kept()?;
            reader
                .part(LEASED, LEASED, 0, Requirement::AtLeast(published))?
                .all_kept()?;
        }
        // The next clones differ from these.
        for page in (0..LEASED).chain(2 * LEASED..PAGES) {
            rig.mapped.stamp_page(page, round + 1);
        }
    }
    Ok(())
}
