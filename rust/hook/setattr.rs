// SPDX-License-Identifier: GPL-2.0

//! Truncation: `truncate`, `ftruncate`, `O_TRUNC`, and the same from nfsd, ksmbd and overlayfs.
//! Extending is no conflict.

use crate::{bindings, conflict, policy::range::PageRange, sys::inode::Inode};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(inode_operation = setattr)]
fn setattr(
    original: Original,
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attributes: *mut bindings::iattr,
) -> c_int {
    if let Some((inode, size)) = Inode::being_resized(dentry, attributes) {
        if size < inode.size() {
            // The page of the new end is zeroed from there on.
            if let Err(error) = conflict::check(inode.mapping(), PageRange::from_byte(size).ok()) {
                return error.to_errno();
            }
        }
    }
    original.call(idmap, dentry, attributes)
}
