// SPDX-License-Identifier: GPL-2.0

//! Exchanging ranges of two files, on XFS, which asks here for both before it takes any lock. Others
//! come here, too, and are met elsewhere.

use crate::{
    breaker::Operation,
    conflict::{self, Place},
    policy::range::PageRange,
    retry::{self, Call},
    sys::file::FileExt,
};
use kernel::{fs::LocalFile, prelude::*};
use pinlease_macros::hook;

#[hook(function = remap_verify_area)]
fn verify(original: Original, file: &LocalFile, offset: i64, length: i64, write: bool) -> c_int {
    if retry::current().is_some_and(|attempt| attempt.is(Call::Exchange)) {
        // The call keeps the way free until it returns.
        let passed = Place::locked(file.mapping(), exchanged(offset, length))
            .map(|place| conflict::pass_or_retry(&place, Operation::Exchange));
        if let Some(Err(error)) = passed {
            return error.to_errno();
        }
    }
    original.call(file, offset, length, write)
}

/// A length of 0 means up to the end.
fn exchanged(offset: i64, length: i64) -> Option<PageRange> {
    let (offset, length) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
    match length {
        0 => PageRange::from_byte(offset).ok(),
        length => PageRange::covering(offset, length).ok(),
    }
}
