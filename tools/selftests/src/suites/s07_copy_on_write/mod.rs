// SPDX-License-Identifier: GPL-2.0
//! Scenario 7: where a filesystem does not write in place.  Clones and
//! snapshots stay what they were, the original has what the device wrote, and
//! so it is in every mode of allocation.

mod clones;
mod layouts;
mod snapshots;

use crate::{
    harness::{skip, Context, Test},
    support::{Filesystem, Fill},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s07-copy-on-write.clone-faulted", |cx| {
        clones::before(cx, Fill::Faulted)
    })
    .granted(),
    Test::controlled("s07-copy-on-write.clone-written", |cx| {
        clones::before(cx, Fill::Written)
    })
    .granted(),
    Test::controlled("s07-copy-on-write.clone-under-pin", clones::under),
    Test::new("s07-copy-on-write.clone-beside", clones::beside).granted(),
    Test::controlled("s07-copy-on-write.snapshots", snapshots::check).granted(),
    Test::controlled("s07-copy-on-write.holes", layouts::holes).granted(),
    Test::controlled("s07-copy-on-write.tiny", layouts::tiny).granted(),
    Test::new("s07-copy-on-write.layouts", layouts::all).seconds(300),
];

/// Skips the test where files cannot share extents.
///
/// # Errors
///
/// [`Skip`](crate::harness::Skip).
fn needs_clones(context: &Context) -> anyhow::Result<()> {
    if context.filesystem()? == Filesystem::Ext4 {
        return skip("ext4 cannot clone");
    }
    Ok(())
}
