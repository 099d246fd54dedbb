// SPDX-License-Identifier: GPL-2.0

//! Writes as a filesystem's `->write_iter` gets them.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{file::FileExt, freeze::Level};
use crate::{bindings, policy::range::PageRange};
use kernel::{fs::LocalFile, types::Opaque};

/// A `struct kiocb`, lent by the caller of a hooked function.
#[repr(transparent)]
pub(crate) struct Kiocb(Opaque<bindings::kiocb>);

impl Kiocb {
    fn flags(&self) -> u32 {
        // SAFETY: The kiocb is valid.
        unsafe { (*self.0.get()).ki_flags as u32 }
    }

    fn file(&self) -> &LocalFile {
        // SAFETY: A kiocb's file is open.
        unsafe { LocalFile::from_raw_file((*self.0.get()).ki_filp) }
    }

    /// Whether somebody is called when it is done, as for aio and io_uring.
    fn is_async(&self) -> bool {
        // SAFETY: The kiocb is valid.
        unsafe { (*self.0.get()).ki_complete.is_some() }
    }

    /// Gives freeze protection back. Its submitter has it.
    pub(super) fn end_write(&self) {
        // SAFETY: The kiocb is valid, and the protection is there.
        unsafe { bindings::pinlease_kiocb_end_write(self.0.get()) };
    }

    /// Undoes [`end_write`](Self::end_write). May sleep.
    pub(super) fn start_write(&self) {
        // SAFETY: The kiocb is valid; may sleep.
        unsafe { bindings::pinlease_kiocb_start_write(self.0.get()) };
    }
}

/// A direct-I/O write.
pub(crate) struct Write<'a> {
    kiocb: &'a Kiocb,
    range: Option<PageRange>,
    from_user: bool,
}

impl<'a> Write<'a> {
    /// `None` for a buffered write. The arguments are those of a hooked `->write_iter`.
    pub(crate) fn direct(kiocb: &'a Kiocb, from: *mut bindings::iov_iter) -> Option<Self> {
        if kiocb.flags() & bindings::IOCB_DIRECT == 0 {
            return None;
        }
        // SAFETY: The caller of ->write_iter keeps both valid during the call.
        let (position, count, from_user) = unsafe {
            (
                (*kiocb.0.get()).ki_pos,
                bindings::pinlease_iov_iter_count(from),
                bindings::pinlease_iov_iter_is_user_backed(from),
            )
        };
        let append = kiocb.flags() & bindings::CONST_IOCB_APPEND as u32 != 0;
        let position = if append {
            kiocb.file().inode().size()
        } else {
            u64::try_from(position).unwrap_or(u64::MAX)
        };
        Some(Self {
            kiocb,
            range: PageRange::covering(position, count as u64).ok(),
            from_user,
        })
    }

    pub(crate) fn file(&self) -> &LocalFile {
        self.kiocb.file()
    }

    /// The pages that it writes; `None` when there is none.
    pub(crate) fn range(&self) -> Option<PageRange> {
        self.range
    }

    /// Whether the submitter wants to know at once, and comes again if it must (`RWF_NOWAIT`, and
    /// io_uring at first).
    pub(crate) fn is_probe(&self) -> bool {
        self.kiocb.flags() & bindings::CONST_IOCB_NOWAIT as u32 != 0
            && !self.file().is_nonblocking()
    }

    /// Whether the submitter may hold locks: splice(2) writes pages of a pipe that it has locked.
    pub(crate) fn may_hold_locks(&self) -> bool {
        !self.from_user && !self.kiocb.is_async()
    }

    /// What the submitter holds.
    pub(crate) fn level(&self) -> Level<'_> {
        if self.kiocb.is_async() {
            Level::Kiocb(self.kiocb)
        } else {
            Level::Super(self.file().super_block())
        }
    }
}
