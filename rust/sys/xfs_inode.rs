// SPDX-License-Identifier: GPL-2.0

//! XFS's own inodes, of which only the kernel's part is known.

use super::{btf::InodeOffset, inode::Inode};
use crate::bindings;
use kernel::{prelude::*, types::Opaque};

/// A `struct xfs_inode`, lent by the caller of a hooked function.
#[repr(transparent)]
pub(crate) struct XfsInode(Opaque<bindings::xfs_inode>);

static OFFSET: InodeOffset = InodeOffset::new(c"xfs_inode");

/// Learns how the XFS that is loaded is built. May sleep. Errors: `ENOENT`.
pub(crate) fn learn_layout() -> Result {
    OFFSET.learn()
}

impl XfsInode {
    /// The kernel's part; `None` before [`learn_layout`], when no XFS file is leased.
    pub(crate) fn inode(&self) -> Option<&Inode> {
        let offset = OFFSET.get()?;
        // SAFETY: There is a `struct inode` at this offset, as long as the whole lives.
        Some(unsafe { &*self.0.get().cast::<u8>().add(offset).cast() })
    }
}
