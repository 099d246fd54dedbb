// SPDX-License-Identifier: GPL-2.0

//! Inodes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{mapping::Mapping, super_block::SuperBlock};
use crate::{bindings, policy::range::PageRange};
use kernel::{error::to_result, prelude::*, types::Opaque};

/// A `struct inode`, kept by an open file or by whoever lent the reference.
#[repr(transparent)]
pub(crate) struct Inode(Opaque<bindings::inode>);

impl Inode {
    pub(crate) fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        // SAFETY: A regular file's inode has a mapping as long as it lives.
        unsafe { &*(*self.as_ptr()).i_mapping.cast() }
    }

    pub(crate) fn super_block(&self) -> &SuperBlock {
        // SAFETY: An inode's superblock outlives it.
        unsafe { &*(*self.as_ptr()).i_sb.cast() }
    }

    pub(crate) fn operations(&self) -> &bindings::inode_operations {
        // SAFETY: Set when the inode is made, and of static lifetime.
        unsafe { &*(*self.as_ptr()).i_op }
    }

    /// That of a dentry, which is an argument of a hooked function.
    pub(crate) fn of_dentry<'a>(dentry: *mut bindings::dentry) -> &'a Self {
        // SAFETY: The caller of the hooked function keeps the dentry, which has an inode.
        unsafe { &*(*dentry).d_inode.cast() }
    }

    /// The inode and its new size, of the arguments of a hooked `->setattr`; `None` when the size
    /// stays.
    pub(crate) fn being_resized<'a>(
        dentry: *mut bindings::dentry,
        attributes: *mut bindings::iattr,
    ) -> Option<(&'a Self, u64)> {
        // SAFETY: The caller of ->setattr keeps both valid during the call, and the inode locked.
        let (inode, valid, size) = unsafe {
            (
                (*dentry).d_inode,
                (*attributes).ia_valid,
                (*attributes).ia_size,
            )
        };
        if valid & bindings::ATTR_SIZE == 0 {
            return None;
        }
        // SAFETY: As above.
        Some((unsafe { &*inode.cast() }, u64::try_from(size).ok()?))
    }

    /// Bytes in the file.
    pub(crate) fn size(&self) -> u64 {
        // SAFETY: The inode is valid.
        unsafe { bindings::pinlease_i_size_read(self.as_ptr()) as u64 }
    }

    /// Number of the inode.
    pub(crate) fn number(&self) -> u64 {
        // SAFETY: The inode is valid; its number does not change.
        unsafe { (*self.as_ptr()).i_ino }
    }

    /// Waits until operations that hold the inode's lock, and direct I/O, are over. May sleep.
    ///
    /// Errors: `ERESTARTSYS`, `EINTR` by a fatal signal.
    pub(crate) fn wait_for_operations(&self) -> Result {
        // SAFETY: The inode is valid; the caller holds no lock.
        to_result(unsafe { bindings::pinlease_inode_quiesce(self.as_ptr()) })
    }

    /// Whether the file, as it is now, has all of these pages, the last one at least in part.
    pub(crate) fn has_pages(&self, range: &PageRange) -> bool {
        PageRange::covering(0, self.size()).is_ok_and(|whole| whole.contains(range))
    }

    /// Whether direct I/O is under way.
    pub(crate) fn has_direct_io(&self) -> bool {
        // SAFETY: The inode is valid.
        unsafe { bindings::pinlease_inode_has_direct_io(self.as_ptr()) }
    }

    pub(crate) fn is_regular(&self) -> bool {
        // SAFETY: The inode is valid; the file type of i_mode does not change.
        let mode = unsafe { (*self.as_ptr()).i_mode };
        u32::from(mode) & bindings::S_IFMT == bindings::S_IFREG
    }

    pub(crate) fn is_dax(&self) -> bool {
        // SAFETY: The inode is valid.
        unsafe { bindings::pinlease_inode_is_dax(self.as_ptr()) }
    }

    pub(crate) fn is_swapfile(&self) -> bool {
        // SAFETY: The inode is valid.
        unsafe { bindings::pinlease_inode_is_swapfile(self.as_ptr()) }
    }
}
