// SPDX-License-Identifier: GPL-2.0

//! What detaches, moves or shares pages of a file, and the leases that it meets.
//!
//! The hooks that ask are on the filesystem's own operations, so that callers which bypass the
//! `vfs_` wrappers (nfsd, ksmbd, overlayfs, loop) come here, too. Locks are held there, hence
//! nobody waits: a conflict is refused at once.

use crate::{policy::range::PageRange, registry, sys::mapping::Mapping};
use kernel::prelude::*;

/// Errors: `ETXTBSY` when a lease has a page of `range`, or a folio with a pinned page has one.
pub(crate) fn check(mapping: &Mapping, range: Option<PageRange>) -> Result {
    let Some(range) = range else {
        return Ok(());
    };
    match registry::find(mapping.key()) {
        Some(leased) if leased.protects(&range) => Err(ETXTBSY),
        _ => Ok(()),
    }
}
