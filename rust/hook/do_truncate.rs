// SPDX-License-Identifier: GPL-2.0

//! Where a truncation that meets a lease waits: the caller holds freeze protection and nothing
//! else.
//!
//! Callers: `vfs_truncate()` (truncate(2), ksmbd, cachefiles), `handle_truncate()` (`O_TRUNC`), the
//! coredump, which does not wait, and `do_ftruncate()`, which has a [hook](super::do_ftruncate) of its
//! own and waits there.

use crate::{
    bindings, filesystem,
    retry::{self, Call},
    sys::{file, freeze::Level, super_block::SuperBlock},
};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(symbol = "do_truncate")]
fn truncate(
    original: Original,
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    length: i64,
    time_attributes: u32,
    opened: *mut bindings::file,
) -> c_int {
    let super_block = SuperBlock::of_dentry(dentry);
    if !filesystem::is_known(super_block) {
        // A stacked filesystem has begun to change itself when the one below meets a lease.
        return original.call(idmap, dentry, length, time_attributes, opened);
    }
    retry::run(
        Call::Truncate,
        file::is_nonblocking(opened),
        Some(Level::Super(super_block)),
        || original.call(idmap, dentry, length, time_attributes, opened),
        Error::to_errno,
    )
}
