// SPDX-License-Identifier: GPL-2.0
//! What an administrator sees: debugfs, tracepoints, recipes, the kernel's log.

mod breaks;
mod counts;
mod log;
mod recipes;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("observe.counts", counts::counts),
    Test::new("observe.breaks", breaks::outcomes),
    Test::new("observe.break-latency", recipes::break_latency).seconds(300),
    Test::new("observe.bounced-bytes", recipes::bounced_bytes).seconds(300),
    Test::new("observe.breakers", recipes::breakers).seconds(300),
    Test::new("observe.breaks-of-command", recipes::breaks_of_command).seconds(300),
    Test::new("observe.price-of-command", recipes::price_of_command).seconds(300),
    Test::new("observe.log", log::messages),
    Test::new("observe.log-limited", log::limited),
];
