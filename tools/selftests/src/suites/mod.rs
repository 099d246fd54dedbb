// SPDX-License-Identifier: GPL-2.0
//! The tests: one file per scenario or promise.

mod breaks;
mod command;
mod consumers;
mod cycle;
mod dmabuf;
mod edu;
mod equipment;
mod examples;
mod faults;
mod fsyncs;
mod fuzz;
mod grants;
mod hooks;
mod idle;
mod leaks;
mod neighbours;
mod observe;
mod price;
mod refuse;
mod reserve;
mod run;
pub mod s01_after_clean;
pub mod s02_tearing;
mod s03_power_cut;
pub mod s04_background;
mod s05_reclaim;
mod s06_errors;
mod s07_copy_on_write;
mod s08_termination;
mod s09_throttling;
mod s14_pressure;
mod s15_many_mappings;
mod s16_large_folio;
mod s17_direct_io;
mod s18_late_dma;
mod s21_no_lease;
mod security;
mod soak;
mod stacks;
mod trace;
mod uapi;
mod unchanged;
mod vivid;

use crate::harness::Test;

/// Every test, in the order in which they run.
pub fn all() -> impl Iterator<Item = Test> {
    [
        equipment::TESTS,
        s01_after_clean::TESTS,
        s02_tearing::TESTS,
        s03_power_cut::TESTS,
        s04_background::TESTS,
        s05_reclaim::TESTS,
        s06_errors::TESTS,
        s07_copy_on_write::TESTS,
        s08_termination::TESTS,
        s14_pressure::TESTS,
        s15_many_mappings::TESTS,
        s16_large_folio::TESTS,
        s17_direct_io::TESTS,
        s18_late_dma::TESTS,
        edu::TESTS,
        s21_no_lease::TESTS,
        stacks::TESTS,
        uapi::TESTS,
        dmabuf::TESTS,
        vivid::TESTS,
        command::TESTS,
        consumers::TESTS,
        run::TESTS,
        examples::TESTS,
        hooks::TESTS,
        neighbours::TESTS,
        trace::TESTS,
        observe::TESTS,
        refuse::TESTS,
        &breaks::tests(),
        &grants::tests(),
        idle::TESTS,
        price::TESTS,
        unchanged::TESTS,
        s09_throttling::TESTS,
        security::TESTS,
        reserve::TESTS,
        faults::TESTS,
        fsyncs::TESTS,
        fuzz::TESTS,
        soak::TESTS,
        cycle::TESTS,
        leaks::TESTS,
    ]
    .concat()
    .into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = all().map(|test| test.name).collect();
        assert_eq!(names.len(), all().count());
    }
}
