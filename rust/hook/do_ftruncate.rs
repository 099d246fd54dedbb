// SPDX-License-Identifier: GPL-2.0

//! Where ftruncate(2) waits that meets a lease: nothing is held.
//!
//! Compilers may put [`do_truncate`](super::do_truncate) into this function, which is in the same
//! file; clang does. Callers: ftruncate(2), io_uring.

use crate::{
    filesystem,
    retry::{self, Call},
    sys::file::FileExt,
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(symbol = "do_ftruncate")]
fn ftruncate(original: Original, file: &LocalFile, length: i64, flags: c_uint) -> c_int {
    if !filesystem::is_known(file.super_block()) {
        // As in do_truncate().
        return original.call(file, length, flags);
    }
    retry::run(
        Call::Truncate,
        file.is_nonblocking(),
        None,
        || original.call(file, length, flags),
        Error::to_errno,
    )
}
