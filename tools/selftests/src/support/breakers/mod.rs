// SPDX-License-Identifier: GPL-2.0
//! Breakers: the operations that conflict with leases.

mod aio;
mod allocate;
mod exchange;
mod in_place;
mod open;
mod other;
mod share;
mod size;
mod swap;
mod table;
mod uring;
mod write;

use std::{
    fs::{File, OpenOptions},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{bail, Result};
use nix::{errno::Errno, fcntl::OFlag, sys::stat::Mode};
use pinlease::Operation;

pub use other::{path as other_path, remove as remove_other};
pub use table::BREAKERS;

use super::{page_size, Filesystem, Fill, Mapped};

const PAGE: u64 = page_size() as u64;

/// An operation that conflicts with leases.
#[derive(Debug)]
pub struct Breaker {
    /// For people.
    pub name: &'static str,
    /// As events tell it.
    pub operation: Operation,
    /// Does it.
    pub run: fn(&Target<'_>) -> nix::Result<()>,
    /// What it needs beforehand.
    pub prepare: Option<fn(&Path) -> Result<()>>,
    /// How far it reaches.
    pub reach: Reach,
    /// Its range must be a multiple of this.
    pub granularity: u64,
    /// Where it exists.
    pub on: &'static [Filesystem],
    /// Whether the kernel of the guest may lack it even there.
    pub optional: bool,
    /// Whether the file must be one that is overwritten in place.
    pub in_place: bool,
    /// Whether it knows `O_NONBLOCK`.
    pub nonblock: bool,
    /// What a signal does to it.
    pub signal: OnSignal,
    /// What becomes of it when it is refused.
    pub refused: WhenRefused,
    /// Whether it waits for holders; else every lease refuses it.
    pub waits: bool,
}

/// Which bytes an operation touches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// Those it names.
    Range,
    /// From the first that it names to the end.
    ToEnd,
    /// The same; and XFS throws out the block before, too.
    Shifted,
    /// All.
    File,
}

/// What a signal with a handler does to a breaker that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnSignal {
    /// It ends with EINTR, or is restarted when the handler has `SA_RESTART`.
    Restarts,
    /// It ends with EINTR.
    Ends,
    /// Nothing: another thread waits.
    Waits,
}

/// What a refusal is to an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenRefused {
    /// Its end.
    Fails,
    /// It does something else that does not conflict.
    FallsBack,
}

/// What a breaker works on.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The leased file, open for reading and writing.
    pub file: &'a File,
    /// Where it is, for those that open it themselves.
    pub path: &'a Path,
    /// `O_NONBLOCK` or 0, for those that open it themselves.
    pub flags: i32,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl Breaker {
    /// The breakers that exist on `filesystem`.
    pub fn on(filesystem: Filesystem) -> impl Iterator<Item = &'static Self> {
        BREAKERS
            .iter()
            .filter(move |breaker| breaker.on.contains(&filesystem))
    }

    /// Whether the operation reaches to the file's end.
    pub fn to_the_end(&self) -> bool {
        self.reach != Reach::Range
    }

    /// The bytes of a file of `size` bytes that it touches on `filesystem`
    /// when it is given `offset` and `length`.
    pub fn touches(
        &self,
        filesystem: Filesystem,
        offset: u64,
        length: u64,
        size: u64,
    ) -> Range<u64> {
        match self.reach {
            Reach::Range => offset..offset + length,
            Reach::ToEnd => offset..size,
            Reach::Shifted if filesystem == Filesystem::Xfs => offset.saturating_sub(PAGE)..size,
            Reach::Shifted => offset..size,
            Reach::File => 0..size,
        }
    }

    /// Where a file for it may be, in `dir`.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub fn place(&self, dir: &Path, name: &str) -> Result<PathBuf> {
        if self.in_place {
            Ok(in_place::folder(dir)?.join(name))
        } else {
            Ok(dir.join(name))
        }
    }

    /// Whether the kernel of the guest has it, tried on a file without lease in
    /// `dir`.
    ///
    /// # Errors
    ///
    /// It must exist and does not work, or fails in another way.
    pub fn exists(&self, dir: &Path) -> Result<bool> {
        const PAGES: u64 = 8;
        let path = self.place(dir, "probe")?;
        let mapped = Mapped::create(&path, PAGES, Fill::Faulted)?;
        self.prepare(&path)?;
        let result = (self.run)(&Target {
            file: mapped.file(),
            path: &path,
            flags: 0,
            offset: 2 * PAGE,
            length: 2 * PAGE,
        });
        remove_other(&path);
        match result {
            Ok(()) => Ok(true),
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY | Errno::EINVAL) if self.optional => Ok(false),
            Err(error) => bail!("{} of a file without lease: {error:?}", self.name),
        }
    }

    /// Makes what it needs beside the file at `path`.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub fn prepare(&self, path: &Path) -> Result<()> {
        self.prepare.map_or(Ok(()), |prepare| prepare(path))
    }
}

impl Target<'_> {
    /// The leased file, opened once more.  Not by std, which begins anew after
    /// a signal.
    fn open(&self, flags: OFlag) -> nix::Result<File> {
        let flags = flags | OFlag::from_bits_retain(self.flags);
        let flags = flags | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        nix::fcntl::open(self.path, flags, Mode::empty()).map(File::from)
    }
}

/// Opens the leased file as a breaker of this kind does.
///
/// # Errors
///
/// open(2)'s.
pub fn open(path: &Path, flags: i32) -> Result<File> {
    Ok(OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = BREAKERS.iter().map(|breaker| breaker.name).collect();
        assert_eq!(names.len(), BREAKERS.len());
    }

    #[test]
    fn reaches() {
        let find = |name| BREAKERS.iter().find(|b| b.name == name).unwrap();
        let touches = |name, fs| find(name).touches(fs, 2 * PAGE, PAGE, 8 * PAGE);
        assert_eq!(touches("punch", Filesystem::Xfs), 2 * PAGE..3 * PAGE);
        assert_eq!(touches("ftruncate", Filesystem::Ext4), 2 * PAGE..8 * PAGE);
        assert_eq!(touches("collapse", Filesystem::Xfs), PAGE..8 * PAGE);
        assert_eq!(touches("collapse", Filesystem::Ext4), 2 * PAGE..8 * PAGE);
        assert_eq!(touches("O_TRUNC", Filesystem::Btrfs), 0..8 * PAGE);
    }
}
