// SPDX-License-Identifier: GPL-2.0

//! What snapshots copied, lease by lease.

use super::Arbiter;
use crate::policy::range::PageRange;

impl Arbiter {
    /// Counts a snapshot of pages of `range` for the leases there. `copies` are its pages, each with the
    /// bytes of it that were copied; `bytes` is their sum.
    pub(crate) fn count_snapshot(
        &self,
        range: PageRange,
        bytes: u64,
        copies: impl Iterator<Item = (PageRange, u64)> + Clone,
    ) {
        for (leased_range, leased) in self.leases.overlapping(range) {
            let bytes = match leased_range.contains(&range) {
                true => bytes,
                false => copies
                    .clone()
                    .filter(|(page, _)| leased_range.contains(page))
                    .map(|(_, bytes)| bytes)
                    .sum(),
            };
            if bytes != 0 {
                leased.lease.activity.snapshots.add(1);
                leased.lease.activity.bounced_bytes.add(bytes);
            }
        }
    }
}
