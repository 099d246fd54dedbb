// SPDX-License-Identifier: GPL-2.0

//! Freeze protection that a caller took, and that is given back while a task waits long: otherwise
//! nobody could freeze the filesystem.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{kiocb::Kiocb, super_block::SuperBlock};

/// What the caller of a hooked function holds.
#[derive(Clone, Copy)]
pub(crate) enum Level<'a> {
    /// `sb_start_write()`, in this task.
    Super(&'a SuperBlock),
    /// `kiocb_start_write()`.
    Kiocb(&'a Kiocb),
}

impl Level<'_> {
    /// Gives it back, calls `wait`, and takes it again. May sleep.
    pub(crate) fn without<R>(self, wait: impl FnOnce() -> R) -> R {
        match self {
            Self::Super(super_block) => {
                super_block.end_write();
                let result = wait();
                super_block.start_write();
                result
            }
            Self::Kiocb(kiocb) => {
                kiocb.end_write();
                let result = wait();
                kiocb.start_write();
                result
            }
        }
    }
}
