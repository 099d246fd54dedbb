// SPDX-License-Identifier: GPL-2.0
//! What code of the module was reached: KCOV, where the kernel has it.

use std::{
    fs::File,
    ops::Range,
    os::fd::AsRawFd,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use nix::errno::Errno;
use selftests::support::modules;

/// Words of the buffer.
const WORDS: usize = 64 << 10;

/// The commands of linux/kcov.h.
mod command {
    use nix::{ioctl_write_int_bad, request_code_none, request_code_read};

    ioctl_write_int_bad!(
        init_trace,
        request_code_read!(b'c', 1, size_of::<libc::c_ulong>())
    );
    ioctl_write_int_bad!(enable, request_code_none!(b'c', 100));
    ioctl_write_int_bad!(disable, request_code_none!(b'c', 101));
}

/// Trace program counters, not comparisons.
const TRACE_PC: i32 = 0;

/// The recorder of one thread.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    words: NonNull<u64>,
    module: Range<u64>,
}

impl Recorder {
    /// `None`: the kernel has none, or the module is not built for it.
    pub fn open() -> Option<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/sys/kernel/debug/kcov")
            .ok()?;
        // SAFETY: takes a number.
        unsafe { command::init_trace(file.as_raw_fd(), WORDS as i32) }.ok()?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let words = unsafe {
            libc::mmap(
                ptr::null_mut(),
                WORDS * size_of::<u64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if words == libc::MAP_FAILED {
            return None;
        }
        Some(Self {
            file,
            words: NonNull::new(words.cast())?,
            module: modules::text_of("pinlease").ok()?,
        })
    }

    /// Begins to record the current thread.
    ///
    /// # Errors
    ///
    /// It is being recorded.
    pub fn begin(&self) -> Result<(), Errno> {
        self.count().store(0, Ordering::Relaxed);
        // SAFETY: takes a number.
        unsafe { command::enable(self.file.as_raw_fd(), TRACE_PC) }.map(drop)
    }

    /// Ends that; adds what was reached to `edges` and returns how many are new.
    ///
    /// # Errors
    ///
    /// It was not being recorded.
    pub fn end(&self, edges: &Edges) -> Result<usize, Errno> {
        // SAFETY: takes a number.
        unsafe { command::disable(self.file.as_raw_fd(), 0) }?;
        let count = (self.count().load(Ordering::Relaxed) as usize).min(WORDS - 1);
        // SAFETY: the kernel has written so many words after the first, and writes no more.
        let reached = unsafe { std::slice::from_raw_parts(self.words.as_ptr(), 1 + count) };
        let mut before = 0;
        let mut new = 0;
        for &here in reached[1..]
            .iter()
            .filter(|address| self.module.contains(address))
        {
            new += usize::from(edges.add(before, here));
            before = here;
        }
        Ok(new)
    }

    /// Words that are recorded.
    fn count(&self) -> &AtomicU64 {
        // SAFETY: the first word, of a mapping that stays.
        unsafe { AtomicU64::from_ptr(self.words.as_ptr()) }
    }
}

/// Bits for edges.
const EDGES: usize = 1 << 20;

/// A set of edges that all workers share: a bit for each, by its hash.
#[derive(Debug)]
pub struct Edges([AtomicU64; EDGES / 64]);

impl Edges {
    /// Adds the edge from one program counter to the next; true if it is new.
    fn add(&self, from: u64, to: u64) -> bool {
        let hash = (from.rotate_left(17) ^ to).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let (word, bit) = (hash as usize % EDGES / 64, 1 << (hash % 64));
        let word = &self.0[word];
        word.load(Ordering::Relaxed) & bit == 0 && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0
            .iter()
            .map(|word| word.load(Ordering::Relaxed).count_ones() as usize)
            .sum()
    }
}
