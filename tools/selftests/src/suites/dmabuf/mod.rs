// SPDX-License-Identifier: GPL-2.0
//! Pins as dma-bufs: what importers write reaches the disk, and what is revoked
//! nobody reaches any more.
//!
//! The importer is dmasim, in the three ways in which drivers import; the suite
//! `vivid` has one that is not ours.

mod common;
mod errors;
mod export;
mod import;
mod lifetime;
mod memory;
mod policy;
mod revokes;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("dmabuf.export", export::happy),
    Test::new("dmabuf.parts", export::parts),
    Test::new("dmabuf.sizes", errors::sizes),
    Test::new("dmabuf.errors", errors::arguments),
    Test::new("dmabuf.limit-files", errors::files),
    Test::controlled("dmabuf.import-faulted", import::faulted),
    Test::controlled("dmabuf.import-written", import::written),
    Test::new("dmabuf.running", import::running),
    Test::new("dmabuf.mmap", memory::mapping),
    Test::new("dmabuf.mmap-revoked", memory::revoked),
    Test::new("dmabuf.cpu-access", memory::access),
    Test::new("dmabuf.close", lifetime::close),
    Test::new("dmabuf.close-static", lifetime::close_static),
    Test::new("dmabuf.fork", lifetime::fork),
    Test::new("dmabuf.scm-rights", lifetime::scm_rights),
    Test::new("dmabuf.holder-dies", lifetime::holder_dies),
    Test::new("dmabuf.none-left", lifetime::none_left),
    Test::new("dmabuf.policy-revoke", policy::revoke),
    Test::new("dmabuf.policy-kill", policy::kill),
    Test::new("dmabuf.policy-kill-elsewhere", policy::kill_elsewhere),
    Test::new("dmabuf.revokes", revokes::check).seconds(600),
];
