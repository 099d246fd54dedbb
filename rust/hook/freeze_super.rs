// SPDX-License-Identifier: GPL-2.0

//! A freeze: what the device wrote before must be on the disk, and re-arming must be over before
//! the levels are taken. What a device writes while the filesystem is frozen reaches the disk
//! after the thaw.

use super::sync_inodes_sb::rearm_all;
use crate::{rearm::Frozen, sys::super_block::SuperBlock};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(function = freeze_super)]
fn freeze(original: Original, super_block: &SuperBlock, who: u32, owner: *const c_void) -> c_int {
    // What fails now is tried again after the thaw.
    let _ = rearm_all(super_block, Frozen::Refuse);
    original.call(super_block, who, owner)
}
