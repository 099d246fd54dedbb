// SPDX-License-Identifier: GPL-2.0
//! Fault injection: each operation with each allocation and each copy from or to user space failing,
//! one at a time. It ends with success or a clean error, nothing is lost without a word, and the same
//! without the fault works. Needs a kernel with CONFIG_FAULT_INJECTION; else the tests are skipped.

mod background;
mod injector;
mod loading;
mod scarce;
mod scene;
mod sweep;
mod table;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("faults.operations", sweep::each).seconds(3600),
    Test::new("faults.background", background::tick).seconds(900),
    Test::new("faults.scarce", scarce::no_pages).seconds(300),
    // What loads modules complains of its own memory; fields of tracepoints, too. btf_relocate()
    // of 7.3 reads a word too far when something failed.
    Test::new("faults.load", loading::load)
        .seconds(900)
        .kernel_may_log(&[
            "Call Trace:",
            "kmemleak: Cannot allocate a scan area",
            "WARNING: at event_define_fields",
            "BUG: KASAN: slab-out-of-bounds in btf_relocate",
            "page dumped because: kasan: bad access detected",
        ]),
];
