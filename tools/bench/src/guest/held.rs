// SPDX-License-Identifier: GPL-2.0
//! What the holder has, and how it lets go.

use std::{
    fmt,
    fs::{File, OpenOptions},
    num::NonZeroUsize,
    path::Path,
    ptr::NonNull,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::mman::{mmap, munmap, MapFlags, ProtFlags},
};
use pinlease::{monotonic, Device, Lease, PinOptions, Policy};

use selftests::support::{page_size, proc::wait_for, FileLease, Share};

/// What the holder has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// A lease without pins.
    Pinlease,
    /// A lease with one page pinned.
    Pinned,
    /// `F_SETLEASE` on a file that is only read.
    FileLease,
    /// The same with one page mapped, which truncate(2) must unmap, as it must
    /// the pinned one.
    FileLeaseMapped,
    /// No lease: what truncate(2) costs.
    Nothing,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Pinlease,
        Self::FileLease,
        Self::Pinned,
        Self::FileLeaseMapped,
        Self::Nothing,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pinlease => "pinlease",
            Self::Pinned => "pinlease, one page pinned",
            Self::FileLease => "F_SETLEASE",
            Self::FileLeaseMapped => "F_SETLEASE, one page mapped",
            Self::Nothing => "no lease",
        })
    }
}

/// `F_RDLCK`, which waits until the lease of the round before, and with it the
/// last file that is open for writing, is gone.
fn file_lease(file: &File) -> Result<FileLease> {
    let mut lease = None;
    wait_for("F_SETLEASE", Duration::from_secs(20), || {
        match FileLease::take(file.try_clone()?, Share::Read) {
            Err(Errno::EAGAIN) => return Ok(false),
            other => lease = Some(other?),
        }
        Ok(true)
    })?;
    lease.context("F_SETLEASE")
}

/// One page of a file.
#[derive(Debug)]
struct Page(NonNull<libc::c_void>);

impl Page {
    fn map(file: &File, protection: ProtFlags) -> Result<Self> {
        let length = NonZeroUsize::new(page_size()).context("no page")?;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe { mmap(None, length, protection, flags, file, 0) };
        Ok(Self(address.context("mmap")?))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to its memory.
        let _ = unsafe { munmap(self.0, page_size()) };
    }
}

/// Some kind of lease.
#[derive(Debug)]
enum Grip {
    Pinlease(Lease),
    File(FileLease),
    Nothing,
}

/// What the holder has, and what it needs for that.
#[derive(Debug)]
pub(super) struct Held {
    grip: Grip,
    _page: Option<Page>,
    _file: File,
}

impl Held {
    /// Takes the lease, the pin and the mapping that belong to `kind`.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    pub(super) fn take(device: &Device, path: &Path, kind: Kind) -> Result<Self> {
        // A file that somebody can write gets no `F_RDLCK`.
        let reads = matches!(kind, Kind::FileLease | Kind::FileLeaseMapped);
        let file = OpenOptions::new().read(true).write(!reads).open(path)?;
        let page = match kind {
            Kind::Pinned => Some(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE),
            Kind::FileLeaseMapped => Some(ProtFlags::PROT_READ),
            _ => None,
        };
        let page = page.map(|protection| Page::map(&file, protection));
        let page = page.transpose()?;
        let grip = match kind {
            Kind::Pinlease | Kind::Pinned => {
                let lease = device.lease(&file).policy(Policy::Block).acquire()?;
                if let Some(page) = &page {
                    let address = page.0.as_ptr().cast();
                    let pin = lease.pin(address, page_size(), PinOptions::default())?;
                    // It ends with the lease.
                    pin.into_id();
                }
                Grip::Pinlease(lease)
            }
            Kind::FileLease | Kind::FileLeaseMapped => Grip::File(file_lease(&file)?),
            Kind::Nothing => Grip::Nothing,
        };
        Ok(Self {
            grip,
            _page: page,
            _file: file,
        })
    }

    /// Ends the lease; returns when that began.
    ///
    /// # Errors
    ///
    /// fcntl(2)'s.
    pub(super) fn release(&mut self) -> Result<Duration> {
        let grip = std::mem::replace(&mut self.grip, Grip::Nothing);
        let begin = monotonic();
        match grip {
            Grip::Pinlease(lease) => drop(lease),
            Grip::File(lease) => lease.release()?,
            Grip::Nothing => {}
        }
        Ok(begin)
    }
}
