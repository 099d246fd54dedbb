// SPDX-License-Identifier: GPL-2.0

//! How much of a thing somebody may have.

/// A count with a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quota {
    used: u64,
}

/// The limit is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded;

impl Quota {
    /// Takes one more if that is within `limit`.
    pub fn take(&mut self, limit: u64) -> Result<(), Exceeded> {
        if self.used >= limit {
            return Err(Exceeded);
        }
        self.used += 1;
        Ok(())
    }

    /// Gives one back; true when none is left.
    pub fn give_back(&mut self) -> bool {
        self.used = self.used.saturating_sub(1);
        self.used == 0
    }
}
