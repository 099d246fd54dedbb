// SPDX-License-Identifier: GPL-2.0
//! What users who mean no good can do, and cannot. `Documentation/security.rst`
//! has the threats, and names the tests of other suites that belong here, too.

mod addresses;
mod attributes;
mod namespace;
mod reader;
mod remapped;
mod silent;
mod waiting;

use crate::harness::Test;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("security.pin-remapped", remapped::remapped),
    Test::new("security.waiting", waiting::waiting),
    Test::new("security.circles", waiting::circles),
    Test::new("security.user-namespace", namespace::limits),
    Test::new("security.user-namespace-sees", namespace::sees),
    Test::new("security.user-namespace-blocks", namespace::blocks),
    Test::new("security.reader", reader::reader),
    Test::new("security.attributes", attributes::attributes),
    Test::new("security.silent-holder", silent::silent),
    Test::new("security.addresses", addresses::addresses),
];
