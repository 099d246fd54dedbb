// SPDX-License-Identifier: GPL-2.0

//! The pages that a device writes.

use crate::bindings;
use kernel::prelude::*;

/// Pages that a device may write, in order.
///
/// # Invariants
///
/// The pages are kept by the [`Memory`](super::Memory) that they are of.
pub(crate) struct Pages(KVVec<*mut bindings::page>);

// SAFETY: Pages may be written by every thread.
unsafe impl Send for Pages {}
// SAFETY: As above: what two devices write at once is their users' business.
unsafe impl Sync for Pages {}

impl Pages {
    pub(super) fn new(pages: KVVec<*mut bindings::page>) -> Self {
        Self(pages)
    }

    /// All of them.
    pub(crate) fn as_slice(&self) -> &[*mut bindings::page] {
        &self.0
    }
}
