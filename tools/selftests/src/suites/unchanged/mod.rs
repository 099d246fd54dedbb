// SPDX-License-Identifier: GPL-2.0
//! What did not change since it was last written is not written again; and
//! nothing that did change is taken for unchanged, whatever came between two
//! equal contents.
//!
//! The trap is always the same: content A is on the disk and is known to be.
//! Then the disk gets B on some way that leaves that knowledge as it was, and
//! the device writes A again.

mod between;
mod errors;
mod outside;
mod sequence;
mod subject;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("unchanged.fsync", between::fsync).granted(),
    Test::new("unchanged.flusher", between::flusher).granted(),
    Test::new("unchanged.untold-writeback", between::untold_writeback).granted(),
    Test::new("unchanged.dropped-caches", between::dropped_caches).granted(),
    Test::new("unchanged.buffered-write", between::buffered_write).granted(),
    Test::new("unchanged.store", between::store).granted(),
    Test::new("unchanged.never-idle", between::never_idle).granted(),
    Test::new("unchanged.marked", between::marked),
    Test::new("unchanged.two-pins", between::two_pins),
    Test::new("unchanged.pinned-again", outside::pinned_again).granted(),
    Test::new("unchanged.leased-again", outside::leased_again).granted(),
    Test::new("unchanged.broken-by-write", outside::broken_by_write).granted(),
    Test::new(
        "unchanged.broken-by-truncation",
        outside::broken_by_truncation,
    )
    .granted(),
    Test::new("unchanged.failed-write", errors::failed_write)
        .granted()
        .seconds(300),
    Test::controlled("unchanged.sequence", sequence::sequence)
        .granted()
        .seconds(600),
];
