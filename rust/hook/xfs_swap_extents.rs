// SPDX-License-Identifier: GPL-2.0

//! `XFS_IOC_SWAPEXT`: two files exchange all extents. The caller holds freeze protection of
//! whichever filesystem the call was made on, so that it does not wait.
//!
//! `int xfs_swap_extents(struct xfs_inode *ip, struct xfs_inode *tip, struct xfs_swapext *sxp)`,
//! fs/xfs/xfs_bmap_util.h

use crate::{
    breaker::Operation,
    conflict::{self, Place},
    policy::range::PageRange,
    sys::xfs_inode::XfsInode,
};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(symbol = "xfs_swap_extents", filesystem = "xfs")]
fn swap(original: Original, target: &XfsInode, donor: &XfsInode, request: *const c_void) -> c_int {
    let pass = |inode: &XfsInode| {
        let place = inode
            .inode()
            .and_then(|inode| Place::locked(inode.mapping(), PageRange::from_byte(0).ok()));
        place
            .map(|place| conflict::pass_or_refuse(&place, Operation::Exchange))
            .transpose()
    };
    let _passages = match pass(target).and_then(|first| Ok((first, pass(donor)?))) {
        Ok(passages) => passages,
        Err(error) => return error.to_errno(),
    };
    original.call(target, donor, request)
}
