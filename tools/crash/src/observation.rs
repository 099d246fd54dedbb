// SPDX-License-Identifier: GPL-2.0
//! What the judging guest is asked and answers. It reports what it sees, and judges nothing.

use std::collections::BTreeMap;

use selftests::support::Filesystem;
use serde::{Deserialize, Serialize};

/// What to look at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// The number of the state that is on the disk.
    pub number: u64,
    /// The filesystem on it.
    pub filesystem: Filesystem,
    /// Files and their pages: first, end, and the page that the device calls page 0.
    pub files: BTreeMap<String, Pages>,
}

/// Pages of a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pages {
    /// The page that the device calls page 0.
    pub origin: u64,
    /// The first to look at.
    pub first: u64,
    /// The one after the last.
    pub end: u64,
}

/// What a page holds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Page {
    /// Words of this page, from the oldest generation to the newest.
    Of(u64, u64),
    /// A word that was never written to this page.
    Foreign,
    /// It cannot be read.
    Unreadable,
}

/// What the guest saw of a state.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Observation {
    /// Which state.
    pub number: u64,
    /// Why it could not be mounted.
    pub mount: Option<String>,
    /// The pages of each file, or why there are none.
    pub files: BTreeMap<String, Result<Vec<Page>, String>>,
    /// What the filesystem's own checker complains about.
    pub check: Option<String>,
    /// What the kernel complained about.
    pub kernel: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}
