// SPDX-License-Identifier: GPL-2.0

//! `chattr +j`, `+c` and the like: what would make a leased file one that cannot be leased. The
//! caller holds the inode's lock, so that it is refused.

use crate::{
    bindings,
    breaker::Operation,
    conflict::{self, Place},
    filesystem,
    policy::range::PageRange,
    sys::inode::Inode,
};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(inode_operation = fileattr_set)]
fn set(
    original: Original,
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attributes: *mut kernel::bindings::file_kattr,
) -> c_int {
    let place = filesystem::attributes_conflict(attributes)
        .then(|| Inode::of_dentry(dentry))
        .and_then(|inode| Place::locked(inode.mapping(), PageRange::from_byte(0).ok()));
    let _passage = match place.map(|place| conflict::pass_or_refuse(&place, Operation::SetFlags)) {
        Some(Err(error)) => return error.to_errno(),
        Some(Ok(passage)) => Some(passage),
        None => None,
    };
    original.call(idmap, dentry, attributes)
}
