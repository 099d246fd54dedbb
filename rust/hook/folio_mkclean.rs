// SPDX-License-Identifier: GPL-2.0

//! The moment from which a snapshot counts: the mappings of a folio became read-only.
//!
//! Callers: `folio_clear_dirty_for_io()` (every writeback), and, without writeback, ext4, btrfs,
//! truncate and memory-failure. All hold the folio lock.
//!
//! Nothing is copied here: a copy that no writeback follows would go stale. A device that writes
//! from here on is pinned now (later write pins wait for the writeback), so that the test at
//! submission finds it; here it is told to those who trace.
//!
//! What others have pinned under a grant is [noted](crate::grant): every way to be clean passes here,
//! also those on which no bio of the filesystem's carries the folio. Who makes it dirty again
//! waits for the folio lock, and for the writeback. What was [written](crate::written) of it before
//! counts no more.

use crate::{registry, sys::folio::Folio, trace};
use kernel::prelude::*;
use pinlease_macros::hook;

#[hook(function = folio_mkclean)]
fn mkclean(original: Original, folio: &Folio) -> c_int {
    let cleaned = original.call(folio);
    if folio.maybe_pinned() {
        if let Some(leased) = folio
            .mapping()
            .and_then(|mapping| registry::find(mapping.key()))
        {
            leased.note_clean(folio);
            trace::mkclean(leased.inode(), folio, cleaned);
        }
    }
    cleaned
}
