// SPDX-License-Identifier: GPL-2.0
//! The tests: one file per scenario or promise.

use crate::harness::Test;

pub mod s01_after_clean;
pub mod s02_tearing;
pub mod s04_background;
mod uapi;

/// Every test, in the order in which they run.
pub fn all() -> impl Iterator<Item = Test> {
    [
        s01_after_clean::TESTS,
        s02_tearing::TESTS,
        s04_background::TESTS,
        uapi::TESTS,
    ]
    .concat()
    .into_iter()
}
