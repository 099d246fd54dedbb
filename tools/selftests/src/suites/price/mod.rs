// SPDX-License-Identifier: GPL-2.0
//! What durability costs: bytes that an fsync and its kin write, beside those
//! that the device wrote.

mod large_folios;
mod portion;
mod range;
pub mod subject;

use crate::{harness::Test, support::Fill};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("price.nothing", portion::nothing).granted(),
    Test::new("price.portion-faulted", |cx| {
        portion::unmarked(cx, Fill::Faulted)
    })
    .granted()
    .seconds(600),
    Test::new("price.portion-written", |cx| {
        portion::unmarked(cx, Fill::Written)
    })
    .granted()
    .seconds(600),
    Test::new("price.portion-marked", portion::marked).seconds(600),
    Test::new("price.msync", range::msync_part).granted(),
    Test::new("price.o-dsync", range::o_dsync).granted(),
    Test::new("price.sync-file-range", range::sync_file_range).granted(),
    Test::new("price.large-folios", large_folios::amplification).granted(),
];
