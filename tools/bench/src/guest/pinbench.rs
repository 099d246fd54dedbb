// SPDX-License-Identifier: GPL-2.0
//! /dev/pinbench: what pinlease is compared with.

use std::{
    fs::{File, OpenOptions},
    os::fd::AsFd,
};

use anyhow::{Context, Result};
use pinlease::{issue, uapi};

/// How to pin without a lease.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Raw {
    /// With `FOLL_LONGTERM`.
    pub(super) longterm: bool,
    /// Made dirty when it is unpinned.
    pub(super) dirty: bool,
}

impl Raw {
    fn pin_flags(self) -> u64 {
        if self.longterm {
            uapi::PINBENCH_LONGTERM.into()
        } else {
            0
        }
    }

    fn unpin_flags(self) -> u64 {
        if self.dirty {
            uapi::PINBENCH_DIRTY.into()
        } else {
            0
        }
    }
}

/// How pages are copied.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// By one memcpy().
    Memory,
    /// Page by page, as snapshots are.
    Pages,
    /// The same, to pages that are allocated for it.
    Allocated,
}

#[derive(Debug)]
pub(super) struct Pinbench(File);

impl Pinbench {
    /// Opens it; the module is loaded.
    pub(super) fn open() -> Result<Self> {
        let path = "/dev/pinbench";
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map(Self).context(path)
    }

    /// Pins and unpins, by an ioctl each.
    pub(super) fn pin_and_unpin(&self, address: *const u8, length: usize, raw: Raw) -> Result<()> {
        let mut pin = uapi::pinbench_pin {
            addr: address.addr() as u64,
            length: length as u64,
            flags: raw.pin_flags(),
        };
        issue(self.0.as_fd(), &mut pin).context("PINBENCH_IOC_PIN")?;
        let mut unpin = uapi::pinbench_unpin {
            flags: raw.unpin_flags(),
        };
        issue(self.0.as_fd(), &mut unpin).context("PINBENCH_IOC_UNPIN")?;
        Ok(())
    }

    /// Nanoseconds that pinning and unpinning takes in the kernel.
    pub(super) fn gup(
        &self,
        address: *const u8,
        length: usize,
        raw: Raw,
        repeat: u64,
    ) -> Result<f64> {
        let mut gup = uapi::pinbench_gup {
            addr: address.addr() as u64,
            length: length as u64,
            flags: raw.pin_flags() | raw.unpin_flags(),
            repeat,
            elapsed_ns: 0,
        };
        issue(self.0.as_fd(), &mut gup).context("PINBENCH_IOC_GUP")?;
        Ok(gup.elapsed_ns as f64 / repeat as f64)
    }

    /// Nanoseconds that copying a page takes.
    pub(super) fn copy(&self, way: Way, pages: u64, repeat: u64) -> Result<f64> {
        let way = match way {
            Way::Memory => uapi::PINBENCH_COPY_MEMORY,
            Way::Pages => uapi::PINBENCH_COPY_PAGES,
            Way::Allocated => uapi::PINBENCH_COPY_ALLOCATED,
        };
        let mut copy = uapi::pinbench_copy {
            pages,
            way: way.into(),
            repeat,
            elapsed_ns: 0,
        };
        issue(self.0.as_fd(), &mut copy).context("PINBENCH_IOC_COPY")?;
        Ok(copy.elapsed_ns as f64 / (repeat * pages) as f64)
    }
}
