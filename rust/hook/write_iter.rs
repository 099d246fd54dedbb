// SPDX-License-Identifier: GPL-2.0

//! Direct-I/O writes: they throw cached pages out of the file, under the device that writes them.
//! Buffered writes are no conflict.

use crate::{bindings, conflict, sys::kiocb::Write};
use pinlease_macros::hook;

#[hook(file_operation = write_iter)]
fn write_iter(
    original: Original,
    kiocb: *mut bindings::kiocb,
    from: *mut bindings::iov_iter,
) -> isize {
    if let Some(write) = Write::direct(kiocb, from) {
        if let Err(error) = conflict::check(write.mapping(), write.range()) {
            return error.to_errno() as isize;
        }
    }
    original.call(kiocb, from)
}
