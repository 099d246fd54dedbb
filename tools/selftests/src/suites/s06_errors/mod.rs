// SPDX-License-Identifier: GPL-2.0
//! Scenario 6: what a device wrote cannot be saved.
//!
//! fsync says so and the lease has an event, or the data is on the disk: never
//! neither.  The pin stays, and so does what the device wrote: when the cause
//! is gone, the next fsync saves it.
//!
//! On the stock side nobody notices: the pages are clean, fsync returns 0, and
//! the disk has what was there before.

mod edquot;
mod eio;
mod enospc;
mod gone;
mod story;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s06-errors.enospc", enospc::check).granted(),
    Test::controlled("s06-errors.edquot", edquot::check).granted(),
    Test::new("s06-errors.edquot-hole", edquot::hole),
    Test::controlled("s06-errors.eio", eio::check).granted(),
    Test::new("s06-errors.eio-background", eio::background).granted(),
    Test::new("s06-errors.shutdown", gone::shutdown).granted(),
    Test::new("s06-errors.device-gone", gone::device).granted(),
];
