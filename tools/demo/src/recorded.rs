// SPDX-License-Identifier: GPL-2.0
//! What happened while a scenario ran.

use selftests::{
    harness::Side,
    support::{journal::Record, Filesystem},
};
use serde::{Deserialize, Serialize};

/// A line that the guest prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recorded {
    /// The filesystem.
    pub fs: Filesystem,
    /// The scenario's number.
    pub scenario: u8,
    /// The side.
    pub side: Side,
    /// What happened.
    pub record: Record,
}
