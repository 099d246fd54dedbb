// SPDX-License-Identifier: GPL-2.0

//! Whether several ranges together cover one.

use super::range::PageRange;

/// Whether `ranges`, which come in the order of their first pages and may overlap, have every page
/// of `whole`.
pub fn covers(whole: PageRange, ranges: impl Iterator<Item = PageRange>) -> bool {
    let mut covered = whole.first();
    for range in ranges {
        if range.first() > covered {
            return false;
        }
        covered = covered.max(range.end());
        if covered >= whole.end() {
            return true;
        }
    }
    false
}
