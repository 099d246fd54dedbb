// SPDX-License-Identifier: GPL-2.0
//! The files of a worker.

use std::os::fd::RawFd;

use crate::operation::{Actor, FILES, PAGE, PAGES};

/// How a file is open; the same descriptors in both processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptors {
    /// For reading and writing.
    pub both: RawFd,
    /// The same with O_NONBLOCK.
    pub nonblocking: RawFd,
    /// For reading.
    pub read: RawFd,
    /// For writing.
    pub write: RawFd,
    /// With O_DIRECT.
    pub direct: RawFd,
    /// With O_DIRECT and O_NONBLOCK.
    pub direct_nonblocking: RawFd,
}

/// The file whose pages are in large folios: it is filled by write(2).
pub const LARGE: usize = 2;
/// The file that nobody has leased when a sequence begins; its first page is leased in the others.
pub const BARE: usize = 1;
/// The file that belongs to root.
pub const FOREIGN: usize = 0;

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileState {
    /// Bytes.
    pub size: u64,
    /// Whether folios may be larger than a page.
    pub large: bool,
    /// Whether its first page is leased by somebody else, who refuses.
    pub kept: bool,
    /// Whether a lease with a grant was closed while something was pinned: it may be in the way until
    /// that is gone.
    pub drains: bool,
}

impl FileState {
    /// Pages, the last one perhaps in part.
    pub fn pages(&self) -> u64 {
        self.size.div_ceil(PAGE)
    }
}

/// As files are when a sequence begins.
pub(super) fn fresh() -> [FileState; FILES] {
    std::array::from_fn(|file| FileState {
        size: PAGES * PAGE,
        large: file == LARGE,
        kept: file != BARE,
        drains: false,
    })
}

/// Whether the actor may lease the file.
pub(super) fn may_lease(actor: Actor, file: usize) -> bool {
    actor == Actor::Worker || file != FOREIGN
}
