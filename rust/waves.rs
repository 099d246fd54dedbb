// SPDX-License-Identifier: GPL-2.0

//! Re-arming in waves: who makes much dirty at a time starts to write it on the way, and waits for
//! what it started before.
//!
//! A tick or an fsync of a large pin would make all of it dirty at once, beyond the limits
//! (`vm.dirty_ratio`) at which everybody who writes is throttled. So a lease never has more than
//! two waves of pages dirty or under writeback on account of a pass.

use crate::{
    policy::range::PageRange,
    sys::{folio::Folio, mapping::Mapping},
};

/// Pages of a wave: 16 MiB.
const PAGES: u64 = 4096;

/// The waves of a pass over the pins of a file.
pub(crate) struct Waves<'a> {
    mapping: &'a Mapping,
    /// What the present one has.
    range: Option<PageRange>,
    pages: u64,
    /// The one before, which is being written.
    before: Option<PageRange>,
}

impl<'a> Waves<'a> {
    pub(crate) fn new(mapping: &'a Mapping) -> Self {
        Self {
            mapping,
            range: None,
            pages: 0,
            before: None,
        }
    }

    /// A folio was made dirty. May sleep long: writes and waits. Its errors wait in the mapping for
    /// fsync.
    pub(crate) fn add(&mut self, folio: &Folio) {
        let folio = folio.range();
        let range = self.range.map_or(folio, |range| range.joined(&folio));
        self.range = Some(range);
        self.pages += folio.count();
        if self.pages < PAGES {
            return;
        }
        self.mapping.start_writeback(range);
        if let Some(before) = self.before.replace(range) {
            self.mapping.wait_for_writeback(before);
        }
        self.range = None;
        self.pages = 0;
    }
}
