// SPDX-License-Identifier: GPL-2.0

//! XFS's own inodes, of which only the kernel's part is known.

use super::{btf, inode::Inode};
use crate::bindings;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::{prelude::*, types::Opaque};

/// A `struct xfs_inode`, lent by the caller of a hooked function.
#[repr(transparent)]
pub(crate) struct XfsInode(Opaque<bindings::xfs_inode>);

/// Bytes before the `struct inode` and one more; 0: not known.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Learns how the XFS that is loaded is built. May sleep. Errors: `ENOENT`.
pub(crate) fn learn_layout() -> Result {
    if OFFSET.load(Ordering::Relaxed) == 0 {
        OFFSET.store(btf::offset_in_xfs_inode()? + 1, Ordering::Relaxed);
    }
    Ok(())
}

impl XfsInode {
    /// The kernel's part; `None` before [`learn_layout`], when no XFS file is leased.
    pub(crate) fn inode(&self) -> Option<&Inode> {
        let offset = OFFSET.load(Ordering::Relaxed).checked_sub(1)?;
        // SAFETY: There is a `struct inode` at this offset, as long as the whole lives.
        Some(unsafe { &*self.0.get().cast::<u8>().add(offset).cast() })
    }
}
