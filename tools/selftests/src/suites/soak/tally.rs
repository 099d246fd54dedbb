// SPDX-License-Identifier: GPL-2.0
//! What the parts have done so far.

use std::fmt;

use anyhow::{ensure, Result};

use crate::support::{Census, Filesystem, Shared};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// Not 0: everybody ends.
    Stop,
    /// Devices that have written, and whose first round was right.
    Ready,
    /// Rounds of holders: the device writes, durability is asked for, the disk
    /// is read.
    Rounds,
    /// Pages read back in them.
    Kept,
    /// Of these, older than what was published.
    Lost,
    /// Of these, unreadable.
    Torn,
    /// Passes of the devices.
    Passes,
    /// Pages written from a snapshot.
    Snapshots,
    /// Folios re-armed.
    Rearmed,
    /// What the leases count as errors.
    Errors,
    /// Pages that processes wrote beside, read back.
    Beside,
    /// Calls of the part that only asks for durability.
    Syncs,
    /// Clones made.
    Clones,
    /// Clones that the lease refused: the pinned folio reaches into their range.
    Refused,
    /// Snapshots of the subvolume.
    Subvolumes,
    /// Copies made where the filesystem cannot clone.
    Copies,
    /// Comparisons of a clone, snapshot or copy with what it was.
    Compared,
    /// Of these, changed.
    Changed,
    /// Cells of the matrix of breakers and policies.
    Breaks,
    /// Times that memory was taken away.
    Squeezes,
    /// Most bytes taken by the hog.
    Hog,
}

/// As many as there are.
const COUNTS: usize = Count::Hog as usize + 1;

/// Counters that all parts share.
pub struct Tally(Shared<COUNTS>);

impl Tally {
    /// All 0.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn new() -> Result<Self> {
        Shared::new().map(Self)
    }

    /// One more.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&self, what: Count, number: u64) {
        self.0.add(what as usize, number);
    }

    /// At least so many.
    pub fn raise(&self, what: Count, number: u64) {
        self.0.raise(what as usize, number);
    }

    /// How many so far.
    pub fn get(&self, what: Count) -> u64 {
        self.0.get(what as usize)
    }

    /// Tells everybody to end.
    pub fn stop(&self) {
        self.raise(Count::Stop, 1);
    }

    /// Pages of a device that were read back.
    pub fn census(&self, census: Census) {
        self.add(Count::Kept, census.kept);
        self.add(Count::Lost, census.lost);
        self.add(Count::Torn, census.torn);
    }

    /// Asserts that no fault was counted.
    ///
    /// # Errors
    ///
    /// One was.
    pub fn nothing_wrong(&self) -> Result<()> {
        for what in [Count::Lost, Count::Torn, Count::Changed, Count::Errors] {
            ensure!(self.get(what) == 0, "{what:?}: {}", self.get(what));
        }
        Ok(())
    }

    /// Asserts that every part did something.
    ///
    /// # Errors
    ///
    /// One did not.
    pub fn everything_happened(&self, filesystem: Filesystem) -> Result<()> {
        let copies: &[Count] = match filesystem {
            Filesystem::Ext4 => &[Count::Copies],
            Filesystem::Xfs => &[Count::Clones],
            Filesystem::Btrfs => &[Count::Clones, Count::Subvolumes],
        };
        let all = [
            Count::Rounds,
            Count::Kept,
            Count::Passes,
            Count::Snapshots,
            Count::Rearmed,
            Count::Beside,
            Count::Syncs,
            Count::Compared,
            Count::Squeezes,
        ];
        for &what in all.iter().chain(copies) {
            ensure!(self.get(what) > 0, "{what:?}: 0");
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |what| self.get(what);
        write!(
            f,
            "{} device passes, {} rounds, {} pages read back, {} lost, {} torn",
            get(Count::Passes),
            get(Count::Rounds),
            get(Count::Kept) + get(Count::Lost) + get(Count::Torn),
            get(Count::Lost),
            get(Count::Torn)
        )?;
        write!(
            f,
            ", {} snapshot pages, {} re-armed folios, {} lease errors, {} other syncs, \
             {} pages beside",
            get(Count::Snapshots),
            get(Count::Rearmed),
            get(Count::Errors),
            get(Count::Syncs),
            get(Count::Beside)
        )?;
        write!(
            f,
            ", {} clones ({} refused), {} subvolume snapshots, {} copies, {} comparisons, \
             {} changed",
            get(Count::Clones),
            get(Count::Refused),
            get(Count::Subvolumes),
            get(Count::Copies),
            get(Count::Compared),
            get(Count::Changed)
        )?;
        write!(
            f,
            ", {} breaks, {} squeezes (hog up to {} MiB)",
            get(Count::Breaks),
            get(Count::Squeezes),
            get(Count::Hog) >> 20
        )
    }
}
