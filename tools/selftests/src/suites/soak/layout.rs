// SPDX-License-Identifier: GPL-2.0
//! The files of the soak and who writes which part of them.

use std::{ops::Range, path::PathBuf, time::Duration};

use super::Ground;
use crate::{
    harness::Side,
    support::{Fill, RigOptions},
};

/// A device and its file.
pub struct Device {
    pub name: &'static str,
    pub fill: Fill,
    pub pages: u64,
    /// The pages that are leased and written by the device; the rest belongs to
    /// `beside`.
    pub leased: Range<u64>,
    pub side: Side,
    pub marked: bool,
    /// Between two passes.
    pub pause: Duration,
}

/// Two never pause; the others let everybody else have a processor at times.
pub const DEVICES: [Device; 6] = [
    Device {
        name: "faulted",
        fill: Fill::Faulted,
        pages: 64,
        leased: 0..64,
        side: Side::Pinlease,
        marked: false,
        pause: Duration::ZERO,
    },
    Device {
        name: "written",
        fill: Fill::Written,
        pages: 256,
        leased: 64..192,
        side: Side::Pinlease,
        marked: false,
        pause: Duration::ZERO,
    },
    Device {
        name: "marked",
        fill: Fill::Written,
        pages: 128,
        leased: 0..128,
        side: Side::Pinlease,
        marked: true,
        pause: Duration::from_micros(300),
    },
    Device {
        name: "granted",
        fill: Fill::Faulted,
        pages: 128,
        leased: 32..96,
        side: Side::Grant,
        marked: false,
        pause: Duration::from_micros(200),
    },
    Device {
        name: "granted-written",
        fill: Fill::Written,
        pages: 64,
        leased: 0..64,
        side: Side::Grant,
        marked: false,
        pause: Duration::from_micros(500),
    },
    Device {
        name: "marked-faulted",
        fill: Fill::Faulted,
        pages: 192,
        leased: 64..128,
        side: Side::Pinlease,
        marked: true,
        pause: Duration::from_millis(1),
    },
];

/// A file that nobody leases.
pub const PLAIN: &str = "plain";

/// Pages of it.
pub const PLAIN_PAGES: u64 = 256;

impl Device {
    /// How to make and pin the file.
    pub fn options(&self) -> RigOptions {
        let count = self.leased.end - self.leased.start;
        let options =
            RigOptions::new(self.side, self.pages, self.fill).pin(self.leased.start, count);
        if self.marked {
            options.marked()
        } else {
            options
        }
    }

    /// Where it is.
    pub fn path(&self, ground: &Ground) -> PathBuf {
        ground.files.join(self.name)
    }

    /// Pages before and after those that are leased.
    pub fn unleased(&self) -> impl Iterator<Item = Range<u64>> {
        [0..self.leased.start, self.leased.end..self.pages]
            .into_iter()
            .filter(|part| !part.is_empty())
    }
}
