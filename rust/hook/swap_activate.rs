// SPDX-License-Identifier: GPL-2.0

//! A file becomes swap space, which is written without the filesystem. The caller holds the inode's
//! lock; [`swapon`](super::swapon) waits.

use crate::{
    bindings,
    breaker::Operation,
    conflict::{self, Place},
    policy::range::PageRange,
    sys::file::FileExt,
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(mapping_operation = swap_activate)]
fn activate(
    original: Original,
    swap: *mut bindings::swap_info_struct,
    file: &LocalFile,
    span: *mut bindings::sector_t,
) -> c_int {
    let place = Place::locked(file.mapping(), PageRange::from_byte(0).ok());
    let _passage = match place.map(|place| conflict::pass_or_retry(&place, Operation::Swapon)) {
        Some(Err(error)) => return error.to_errno(),
        Some(Ok(passage)) => Some(passage),
        None => None,
    };
    original.call(swap, file, span)
}
