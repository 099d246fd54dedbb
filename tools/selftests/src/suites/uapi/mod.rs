// SPDX-License-Identifier: GPL-2.0
//! The interface for user space: every errno that pinlease.h documents.
//!
//! Not provoked: `ENFILE` and `ENOMEM` for want of memory, `EINTR`, and the
//! `EBUSY` of a function that a livepatch holds.

mod acquire;
mod common;
mod filesystems;
mod lifetime;
mod limits;
mod mark;
mod movable;
mod pin;
mod range;
mod storage;

use crate::harness::Test;

pub use common::check_sizes;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("uapi.commands", common::commands),
    Test::new("uapi.acquire", acquire::happy),
    Test::new("uapi.acquire-sizes", acquire::sizes),
    Test::new("uapi.acquire-fields", acquire::fields),
    Test::new("uapi.acquire-descriptors", acquire::descriptors),
    Test::new("uapi.acquire-owner", acquire::owner),
    Test::new("uapi.acquire-while-breaking", acquire::while_breaking),
    Test::new("uapi.acquire-ranges", range::ranges),
    Test::new("uapi.acquire-overlapping", range::overlapping),
    Test::new("uapi.pin", pin::happy),
    Test::new("uapi.pin-sizes", pin::sizes),
    Test::new("uapi.pin-misaligned", pin::misaligned),
    Test::new("uapi.pin-mappings", pin::mappings),
    Test::new("uapi.pin-outside", pin::outside),
    Test::new("uapi.pin-movable", movable::movable),
    Test::new("uapi.unpin", pin::unpin),
    Test::new("uapi.unpin-attached", pin::unpin_attached),
    Test::new("uapi.detach-while-revoked", pin::detach_while_revoked),
    Test::new("uapi.query-sizes", mark::query_sizes),
    Test::new("uapi.mark-errors", mark::errors),
    Test::new("uapi.mark-writes", mark::writes),
    Test::new("uapi.limit-memlock", limits::memlock),
    Test::new("uapi.limit-files", limits::files),
    Test::new("uapi.limit-leases", limits::leases).seconds(300),
    Test::new("uapi.limit-pins", limits::pins).seconds(300),
    Test::new("uapi.frozen", storage::frozen),
    Test::new("uapi.full", storage::full),
    Test::new("uapi.data-journal", storage::data_journal),
    Test::new("uapi.encrypted", storage::encrypted),
    Test::new("uapi.refused-ext2", filesystems::ext2),
    Test::new("uapi.refused-ext3", filesystems::ext3),
    Test::new("uapi.refused-f2fs", filesystems::f2fs),
    Test::new("uapi.refused-vfat", filesystems::vfat),
    Test::new("uapi.refused-exfat", filesystems::exfat),
    Test::new("uapi.refused-tmpfs", filesystems::tmpfs),
    Test::new("uapi.refused-overlayfs", filesystems::overlayfs),
    Test::new("uapi.cloexec", lifetime::cloexec),
    Test::new("uapi.fork", lifetime::fork),
    Test::new("uapi.scm-rights", lifetime::scm_rights),
    Test::new("uapi.killed", lifetime::killed),
];
