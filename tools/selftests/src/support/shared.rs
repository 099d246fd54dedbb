// SPDX-License-Identifier: GPL-2.0
//! Counters that a process shares with those that it forks.

use std::{
    num::NonZeroUsize,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result};
use nix::sys::mman::{mmap_anonymous, munmap, MapFlags, ProtFlags};

/// `N` counters in memory that forked processes share; all are 0 at first.
#[derive(Debug)]
pub struct Shared<const N: usize>(NonNull<[AtomicU64; N]>);

impl<const N: usize> Shared<N> {
    /// Makes them; to be called before fork(2).
    ///
    /// # Errors
    ///
    /// mmap(2)'s.
    pub fn new() -> Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let memory = unsafe {
            mmap_anonymous(
                None,
                Self::length()?,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
            )
        };
        Ok(Self(memory.context("mmap of counters")?.cast()))
    }

    fn length() -> Result<NonZeroUsize> {
        NonZeroUsize::new(size_of::<[AtomicU64; N]>()).context("no counters")
    }

    fn counter(&self, index: usize) -> &AtomicU64 {
        // SAFETY: mapped, zeroed and aligned, for as long as `self` lives.
        unsafe { &self.0.as_ref()[index] }
    }

    /// Adds to one; returns what it was.
    pub fn add(&self, index: usize, number: u64) -> u64 {
        self.counter(index).fetch_add(number, Ordering::SeqCst)
    }

    /// Makes one at least so large.
    pub fn raise(&self, index: usize, number: u64) {
        self.counter(index).fetch_max(number, Ordering::SeqCst);
    }

    /// Reads one.
    pub fn get(&self, index: usize) -> u64 {
        self.counter(index).load(Ordering::SeqCst)
    }
}

impl<const N: usize> Drop for Shared<N> {
    fn drop(&mut self) {
        if let Ok(length) = Self::length() {
            // SAFETY: the mapping is ours, and no reference to it is left.
            let _ = unsafe { munmap(self.0.cast(), length.get()) };
        }
    }
}
