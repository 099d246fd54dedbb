// SPDX-License-Identifier: GPL-2.0
//! Real bus-master DMA into leased files, by samples/edu and QEMU's device.

mod after_clean;
mod errors;
mod exits;
mod reach;
mod transfers;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("edu.after-clean", after_clean::check),
    Test::controlled("edu.transfers", transfers::check).seconds(1200),
    Test::new("edu.errors", errors::check),
    Test::new("edu.unbind", exits::unbind),
    Test::new("edu.unplug", exits::unplug),
    Test::new("edu.unload", exits::unload),
    Test::new("edu.closed", exits::closed),
    Test::new("edu.killed", exits::killed),
    Test::new("edu.short-addresses", reach::short_addresses),
    Test::new("edu.unreachable", reach::unreachable),
    Test::new("edu.beside", reach::beside),
];
