// SPDX-License-Identifier: GPL-2.0
//! Memory of no file.

use std::ptr::NonNull;

use anyhow::{Context, Result};
use nix::sys::mman::{mmap_anonymous, munmap, MapFlags, ProtFlags};

/// Pages that are there; dropping it unmaps them.
#[derive(Debug)]
pub(super) struct Anonymous {
    address: NonNull<u8>,
    length: usize,
}

impl Anonymous {
    pub(super) fn new(length: usize) -> Result<Self> {
        let size = length.try_into().context("no bytes")?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe { mmap_anonymous(None, size, protection, flags) }?;
        Ok(Self {
            address: address.cast(),
            length,
        })
    }

    pub(super) fn address(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// What is in it.
    ///
    /// # Safety
    ///
    /// Nobody writes to it while the result is used.
    pub(super) unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is mapped as long as `self`; the rest the caller promises.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.length) }
    }
}

impl Drop for Anonymous {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to its memory.
        let _ = unsafe { munmap(self.address.cast(), self.length) };
    }
}
