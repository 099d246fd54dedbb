// SPDX-License-Identifier: GPL-2.0

//! Where `XFS_IOC_COMMIT_RANGE` waits that meets a lease: nothing is held.
//! [`remap_verify_area`](super::remap_verify_area) tells which ranges.
//!
//! `long xfs_ioc_commit_range(struct file *file, struct xfs_commit_range __user *argp)`,
//! fs/xfs/xfs_exchrange.h

use crate::{
    retry::{self, Call},
    sys::file::FileExt,
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(symbol = "xfs_ioc_commit_range", filesystem = "xfs")]
fn commit_range(original: Original, file: &LocalFile, argument: *const c_void) -> isize {
    retry::run(
        Call::Exchange,
        file.is_nonblocking(),
        None,
        || original.call(file, argument),
        |error| error.to_errno() as isize,
    )
}
