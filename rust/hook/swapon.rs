// SPDX-License-Identifier: GPL-2.0

//! Where swapon(2) waits that meets a lease: nothing is held.

use crate::retry::{self, Call};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(symbol = "__x64_sys_swapon")]
fn swapon(original: Original, registers: *const c_void) -> isize {
    retry::run(
        Call::Swapon,
        false,
        None,
        || original.call(registers),
        |error| error.to_errno() as isize,
    )
}
