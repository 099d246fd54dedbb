// SPDX-License-Identifier: GPL-2.0
//! A process that takes what memory there is.

use std::{num::NonZeroUsize, ptr::NonNull};

use anyhow::{Context, Result};
use nix::sys::mman::{mlock, mmap_anonymous, munmap, MapFlags, ProtFlags};

use super::{page_size, proc::counter};

/// Bytes taken between two looks at what is left.
const STEP: usize = 2 << 20;

/// Anonymous memory; dropping it gives it back.
#[derive(Debug)]
pub struct Hog {
    memory: NonNull<u8>,
    reserved: NonZeroUsize,
    taken: usize,
}

impl Hog {
    /// Room for `bytes` bytes, none of which is taken.
    ///
    /// # Errors
    ///
    /// mmap(2)'s.
    pub fn reserve(bytes: u64) -> Result<Self> {
        let reserved = NonZeroUsize::new((bytes as usize).next_multiple_of(STEP).max(STEP));
        let reserved = reserved.context("no size")?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            mmap_anonymous(
                None,
                reserved,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
            )
        };
        Ok(Self {
            memory: memory.context("mmap of a hog")?.cast(),
            reserved,
            taken: 0,
        })
    }

    /// Takes memory until only `leave` bytes are available.
    ///
    /// # Errors
    ///
    /// mmap(2)'s, or /proc/meminfo cannot be read.
    pub fn take(leave: u64) -> Result<Self> {
        let mut hog = Self::reserve(available()?.saturating_sub(leave))?;
        while hog.taken < hog.reserved.get() && available()? > leave {
            for page in 0..STEP / page_size() {
                hog.touch((hog.taken / page_size() + page) as u64);
            }
            hog.taken += STEP;
        }
        Ok(hog)
    }

    /// Keeps what it has taken from being swapped out.
    ///
    /// # Errors
    ///
    /// mlock(2)'s.
    pub fn lock(&self) -> Result<()> {
        // SAFETY: so much is mapped; the call changes no contents.
        unsafe { mlock(self.memory.cast(), self.taken) }.context("mlock")
    }

    /// Writes to page `page` of it.
    pub fn touch(&mut self, page: u64) {
        let offset = page as usize * page_size();
        assert!(offset < self.reserved.get());
        let byte = self.memory.as_ptr().wrapping_add(offset);
        // SAFETY: within the mapping, which is ours.
        unsafe { byte.write_volatile(1) };
    }

    /// Bytes that it has taken.
    pub fn taken(&self) -> u64 {
        self.taken as u64
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to it.
        let _ = unsafe { munmap(self.memory.cast(), self.reserved.get()) };
    }
}

/// Bytes that could be had without swapping.
fn available() -> Result<u64> {
    Ok(counter("/proc/meminfo", "MemAvailable")? * 1024)
}
