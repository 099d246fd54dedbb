// SPDX-License-Identifier: GPL-2.0

//! Truncation: `truncate`, `ftruncate`, `O_TRUNC`, and the same from nfsd, ksmbd and overlayfs.
//! Extending is no conflict, unless XFS throws out a pinned folio that reaches beyond the new end.
//!
//! The caller holds the inode's lock; where it is [`do_truncate`](super::do_truncate) or
//! [`do_ftruncate`](super::do_ftruncate), that waits.

use crate::{
    bindings,
    breaker::Operation,
    conflict::{self, Place},
    policy::range::{PageRange, PAGE_SIZE},
    sys::inode::Inode,
};
use core::cmp::Ordering;
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(inode_operation = setattr)]
fn setattr(
    original: Original,
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attributes: *mut bindings::iattr,
) -> c_int {
    let place = Inode::being_resized(dentry, attributes).and_then(|(inode, size)| {
        match size.cmp(&inode.size()) {
            // The page of the new end is zeroed from there on.
            Ordering::Less => Place::locked(inode.mapping(), PageRange::from_byte(size).ok()),
            Ordering::Greater if !inode.super_block().is(b"xfs") => None,
            // What is cached beyond the end is thrown out: the rest of a large folio, and with it
            // the folio if it cannot be split.
            _ => {
                let beyond = size.checked_add(PAGE_SIZE - 1)?;
                Place::beyond_leases(inode.mapping(), PageRange::from_byte(beyond).ok())
            }
        }
    });
    let _passage = match place.map(|place| conflict::pass_or_retry(&place, Operation::Truncate)) {
        Some(Err(error)) => return error.to_errno(),
        Some(Ok(passage)) => Some(passage),
        None => None,
    };
    original.call(idmap, dentry, attributes)
}
