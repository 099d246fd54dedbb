// SPDX-License-Identifier: GPL-2.0
//! A shared mapping of a part of a file.

use std::{fs::File, ptr::NonNull};

use anyhow::{Context, Result};
use nix::sys::mman::munmap;
use pinlease::map_shared;

/// A mapping; dropping it unmaps it.
#[derive(Debug)]
pub struct Window {
    address: NonNull<u8>,
    length: usize,
}

impl Window {
    /// Maps `length` bytes from `offset` on, for reading and writing.
    ///
    /// # Errors
    ///
    /// mmap(2)'s.
    pub fn new(file: &File, offset: u64, length: usize) -> Result<Self> {
        let address = map_shared(file, offset, length).context("mmap of a part")?;
        Ok(Self { address, length })
    }

    /// Where it is.
    pub fn address(&self) -> *mut u8 {
        self.address.as_ptr()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to it any more.
        let _ = unsafe { munmap(self.address.cast(), self.length) };
    }
}
