// SPDX-License-Identifier: GPL-2.0

//! What a device is told to write.

/// Largest generation: it has 32 bits of a word.
pub(crate) const LAST_GENERATION: u64 = u32::MAX as u64;

/// The contents of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) page: u64,
    pub(crate) generation: u64,
}

impl Stamp {
    /// What each word of the page is.
    pub(crate) fn word(self) -> u64 {
        self.generation << 32 | self.page
    }
}

/// Pages to write, once or again and again.
pub(crate) struct Job {
    /// First page.
    pub(crate) first: u64,
    /// Number of pages, at least one.
    pub(crate) pages: u64,
    /// Of the first pass.
    pub(crate) generation: u64,
    /// What each pass adds to it; `None`: there is but one.
    pub(crate) step: Option<u64>,
    /// Pages of this pass that are written.
    pub(crate) written: u64,
}

impl Job {
    /// What is to be written now.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            page: self.first + self.written,
            generation: self.generation,
        }
    }

    /// That is written. Returns the generation of the pass that is complete with it.
    pub(crate) fn advance(&mut self) -> Option<u64> {
        self.written += 1;
        if self.written < self.pages {
            return None;
        }
        let complete = self.generation;
        if let Some(step) = self.step {
            self.written = 0;
            self.generation = (complete + step).min(LAST_GENERATION);
        }
        Some(complete)
    }

    /// Whether nothing is to be written any more.
    pub(crate) fn is_over(&self) -> bool {
        self.written == self.pages
    }
}
