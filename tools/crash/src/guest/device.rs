// SPDX-License-Identifier: GPL-2.0
//! A file whose pinned pages a device writes without end.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};
use selftests::{
    harness::Side,
    support::{clone::clone_file, page_size, Fill, Mapped, Rig, RigOptions},
};

use super::recipe::{DeviceRecipe, Filling, PinKind};
use crate::record::{Fact, GENERATIONS};

/// A device with its file.
#[derive(Debug)]
pub struct Device {
    rig: Rig,
    recipe: DeviceRecipe,
    /// Path in the filesystem.
    file: String,
}

impl Device {
    /// Makes the file, pins it and starts the device. `number` is the file's, `root` the filesystem's place.
    ///
    /// # Errors
    ///
    /// A step fails.
    pub fn new(
        recipe: DeviceRecipe,
        side: Side,
        root: &Path,
        folder: &str,
        number: u64,
    ) -> Result<Self> {
        let file = format!("{folder}/device{number}");
        let path = root.join(&file);
        let mapped = make(recipe, &path).with_context(|| format!("making {file}, {recipe:?}"))?;
        let side = match (side, recipe.pin) {
            (Side::Pinlease, PinKind::Grant) => Side::Grant,
            (side, _) => side,
        };
        let mut options = RigOptions::new(side, recipe.pages, Fill::Faulted);
        options = options.pin(recipe.first, recipe.pinned);
        options.marked = side == Side::Pinlease && recipe.pin == PinKind::Marked;
        let rig = options
            .build_on(mapped)
            .with_context(|| format!("pinning {file}, {recipe:?}"))?;
        rig.engine.start(number * GENERATIONS + 1, recipe.pause)?;
        Ok(Self { rig, recipe, file })
    }

    /// Path in the filesystem.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Pinned pages.
    pub fn pinned(&self) -> u64 {
        self.recipe.pinned
    }

    /// The generation that every page has reached, if there is one.
    ///
    /// # Errors
    ///
    /// The device does not tell.
    pub fn completed(&self) -> Result<Option<u64>> {
        let status = self.rig.engine.status()?;
        Ok((status.passes > 0).then_some(status.completed))
    }

    /// The same after one more pass.
    ///
    /// # Errors
    ///
    /// It does not write.
    pub fn next_pass(&self) -> Result<u64> {
        Ok(self.rig.engine.wait_passes(1)?.completed)
    }

    /// No later generation has been begun.
    ///
    /// # Errors
    ///
    /// The device does not tell.
    pub fn reached(&self) -> Result<Fact> {
        Ok(Fact::Reached {
            file: self.file.clone(),
            generation: self.rig.engine.status()?.completed + 1,
        })
    }

    /// These pinned pages hold at least this generation.
    pub fn holds(&self, first: u64, pages: u64, generation: u64) -> Fact {
        Fact::Holds {
            file: self.file.clone(),
            origin: self.recipe.first,
            first: self.recipe.first + first,
            pages,
            generation,
            last: None,
        }
    }

    /// Says what the device wrote, where that has to be said.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_MARK`.
    pub fn mark(&self, first: u64, pages: u64) -> Result<()> {
        let is_pinned_by_lease = self
            .rig
            .hold
            .as_ref()
            .is_some_and(|hold| hold.pin.is_some());
        if self.recipe.pin == PinKind::Marked && is_pinned_by_lease {
            let size = page_size() as u64;
            let offset = (self.recipe.first + first) * size;
            self.rig.lease()?.mark(offset, pages * size)?;
        }
        Ok(())
    }

    /// The file.
    pub fn open_file(&self) -> &File {
        self.rig.mapped.file()
    }

    /// msync(2) of some of the pinned pages.
    ///
    /// # Errors
    ///
    /// As msync(2).
    pub fn msync(&self, first: u64, pages: u64) -> Result<()> {
        let synced = self.rig.mapped.msync(self.recipe.first + first, pages);
        synced.context("msync")
    }

    /// Stops the device, makes durable what it wrote last, before or after the unpin, and lets go of the file. What it
    /// holds from then on is returned.
    ///
    /// # Errors
    ///
    /// A step fails.
    pub fn finish(self) -> Result<Vec<Fact>> {
        self.rig.engine.stop()?;
        let Some(last) = self.completed()? else {
            self.rig.release()?.keep();
            return Ok(Vec::new());
        };
        let facts = vec![Fact::Holds {
            file: self.file.clone(),
            origin: self.recipe.first,
            first: self.recipe.first,
            pages: self.pinned(),
            generation: last,
            // It may have been stopped in the middle of a pass, or before it counted it.
            last: Some(last + 1),
        }];
        self.mark(0, self.pinned())?;
        // What others pinned is not pinlease's to write after they have unpinned it.
        let before = self.recipe.before_unpin || self.recipe.pin == PinKind::Grant;
        if before {
            self.rig.fsync()?;
        }
        let mapped = self.rig.release()?;
        if !before {
            mapped.file().sync_all().context("fsync after the unpin")?;
        }
        mapped.keep();
        Ok(facts)
    }
}

fn make(recipe: DeviceRecipe, path: &Path) -> Result<Mapped> {
    match recipe.fill {
        Filling::Faulted => Mapped::create(path, recipe.pages, Fill::Faulted),
        Filling::Written => Mapped::create(path, recipe.pages, Fill::Written),
        Filling::Sparse => Mapped::sparse(path, recipe.pages),
        Filling::Preallocated => {
            let mapped = Mapped::sparse(path, recipe.pages)?;
            let length = i64::try_from(mapped.length())?;
            fallocate(mapped.file(), FallocateFlags::empty(), 0, length).context("fallocate")?;
            Ok(mapped)
        }
        Filling::Cloned => clone(recipe.pages, path),
    }
}

/// A clone whose source stays as long as it is needed; where there are no clones, a file by write(2).
fn clone(pages: u64, path: &Path) -> Result<Mapped> {
    let source = path.with_extension("source");
    let original = Mapped::create(&source, pages, Fill::Written)?;
    let to = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    match clone_file(original.file(), &to) {
        Ok(()) => {
            to.sync_all()?;
            original.keep();
            Mapped::open(path, pages)
        }
        Err(Errno::EOPNOTSUPP) => {
            drop(to);
            fs::remove_file(path)?;
            Mapped::create(path, pages, Fill::Written)
        }
        Err(errno) => Err(errno).with_context(|| format!("cloning to {}", path.display())),
    }
}
