// SPDX-License-Identifier: GPL-2.0
//! Counts pages by their fate.

use std::fmt;

use anyhow::{ensure, Result};
use serde::{Deserialize, Serialize};

use super::Stamp;

/// What must be on the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Requirement {
    /// Exactly this generation: the device is idle, so that a page of several
    /// generations is torn.
    Exactly(u64),
    /// This generation or newer ones, word by word: the device is running, and
    /// a stable copy taken under it may well hold two generations.
    AtLeast(u64),
}

impl Requirement {
    /// The generation that it is about.
    pub fn generation(self) -> u64 {
        match self {
            Self::Exactly(generation) | Self::AtLeast(generation) => generation,
        }
    }
}

/// Pages by their fate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Census {
    /// As required.
    pub kept: u64,
    /// Holding something older, or something that was never written there.
    pub lost: u64,
    /// Changed while they were being written: unreadable because of their
    /// checksum, or of several generations although the device was idle.
    pub torn: u64,
}

impl Census {
    /// Counts a page that could be read.
    pub fn count(&mut self, stamp: Stamp, requirement: Requirement) {
        let fate = match (stamp, requirement) {
            (Stamp::Whole(seen), Requirement::Exactly(wanted)) if seen == wanted => &mut self.kept,
            (Stamp::Mixed { .. }, Requirement::Exactly(_)) => &mut self.torn,
            (Stamp::Whole(oldest) | Stamp::Mixed { oldest, .. }, Requirement::AtLeast(wanted))
                if oldest >= wanted =>
            {
                &mut self.kept
            }
            _ => &mut self.lost,
        };
        *fate += 1;
    }

    /// Counts a page whose checksum is wrong.
    pub fn count_unreadable(&mut self) {
        self.torn += 1;
    }

    /// Adds what another reading found.
    pub fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.lost += other.lost;
        self.torn += other.torn;
    }

    /// Asserts that nothing is lost or torn, and that something was read.
    ///
    /// # Errors
    ///
    /// The counts, when it is not so.
    pub fn all_kept(self) -> Result<()> {
        ensure!(
            self.lost == 0 && self.torn == 0 && self.kept > 0,
            "expected every page to be kept, found {self}"
        );
        Ok(())
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, lost, torn } = self;
        write!(f, "{kept} kept, {lost} lost, {torn} torn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(stamp: Stamp, requirement: Requirement) -> (u64, u64, u64) {
        let mut census = Census::default();
        census.count(stamp, requirement);
        (census.kept, census.lost, census.torn)
    }

    #[test]
    fn idle_device() {
        let wanted = Requirement::Exactly(2);
        let mixed = Stamp::Mixed {
            oldest: 2,
            newest: 3,
        };
        assert_eq!(fate(Stamp::Whole(2), wanted), (1, 0, 0));
        assert_eq!(fate(Stamp::Whole(1), wanted), (0, 1, 0));
        assert_eq!(fate(Stamp::Whole(3), wanted), (0, 1, 0));
        assert_eq!(fate(mixed, wanted), (0, 0, 1));
        assert_eq!(fate(Stamp::Foreign, wanted), (0, 1, 0));
    }

    #[test]
    fn running_device() {
        let mixed = Stamp::Mixed {
            oldest: 2,
            newest: 3,
        };
        assert_eq!(fate(mixed, Requirement::AtLeast(2)), (1, 0, 0));
        assert_eq!(fate(mixed, Requirement::AtLeast(3)), (0, 1, 0));
        assert_eq!(fate(Stamp::Whole(9), Requirement::AtLeast(3)), (1, 0, 0));
        assert_eq!(fate(Stamp::Foreign, Requirement::AtLeast(0)), (0, 1, 0));
    }

    #[test]
    fn nothing_read_is_not_kept() {
        assert!(Census::default().all_kept().is_err());
    }
}
