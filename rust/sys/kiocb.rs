// SPDX-License-Identifier: GPL-2.0

//! Writes as a filesystem's `->write_iter` gets them.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{file::FileExt, mapping::Mapping};
use crate::{bindings, policy::range::PageRange};
use kernel::fs::LocalFile;

/// A direct-I/O write.
pub(crate) struct Write<'a> {
    file: &'a LocalFile,
    range: Option<PageRange>,
}

impl<'a> Write<'a> {
    /// `None` for a buffered write. The arguments are those of a hooked `->write_iter`.
    pub(crate) fn direct(
        kiocb: *mut bindings::kiocb,
        from: *mut bindings::iov_iter,
    ) -> Option<Self> {
        // SAFETY: The caller of ->write_iter keeps both valid during the call.
        let (flags, file, position, count) = unsafe {
            (
                (*kiocb).ki_flags,
                (*kiocb).ki_filp,
                (*kiocb).ki_pos,
                bindings::pinlease_iov_iter_count(from),
            )
        };
        if flags as u32 & bindings::IOCB_DIRECT == 0 {
            return None;
        }
        // SAFETY: As above: a kiocb's file is open.
        let file = unsafe { LocalFile::from_raw_file(file) };
        let append = flags as u32 & bindings::CONST_IOCB_APPEND as u32 != 0;
        let position = if append {
            file.inode().size()
        } else {
            u64::try_from(position).unwrap_or(u64::MAX)
        };
        Some(Self {
            file,
            range: PageRange::covering(position, count as u64).ok(),
        })
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        self.file.mapping()
    }

    /// The pages that it writes; `None` when there is none.
    pub(crate) fn range(&self) -> Option<PageRange> {
        self.range
    }
}
