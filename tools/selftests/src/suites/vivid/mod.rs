// SPDX-License-Identifier: GPL-2.0
//! Video into a file: vivid, an importer that is not ours, captures into dma-bufs of
//! a lease.
//!
//! It writes by the CPU through a mapping of the kernel, which cannot be revoked.
//! Its other allocator, with which it attaches as a device with DMA, is not tried:
//! where an exporter refuses that, the kernel loses a reference to the dma-buf
//! (`__prepare_dmabuf()`), and the module stays loaded for ever.

mod capture;
mod ends;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("vivid.capture", capture::check).seconds(400),
    Test::new("vivid.close", ends::close),
    Test::new("vivid.policy-kill", ends::kill),
    Test::new("vivid.policy-revoke", ends::revoke),
    Test::new("vivid.late", ends::late),
];
