// SPDX-License-Identifier: GPL-2.0

//! Runs against the list of pages that they stand for.

use pinlease_policy::folio_runs::{step, Run, Step};
use proptest::prelude::*;

fn runs(parts: &[(u16, u32)]) -> Vec<Run<u16>> {
    let mut runs: Vec<Run<u16>> = Vec::new();
    for &(folio, pages) in parts {
        match step(runs.last().copied(), folio, pages) {
            Step::Extend(run) => *runs.last_mut().unwrap() = run,
            Step::Begin(run) => runs.push(run),
        }
    }
    runs
}

proptest! {
    #[test]
    fn runs_expand_to_the_pages(parts in prop::collection::vec((0u16..4, 1u32..4), 0..200)) {
        let runs = runs(&parts);
        let folios: Vec<u16> = parts
            .iter()
            .flat_map(|&(folio, pages)| std::iter::repeat(folio).take(pages as usize))
            .collect();
        let expanded: Vec<u16> = runs
            .iter()
            .flat_map(|run| std::iter::repeat(run.folio).take(run.pages as usize))
            .collect();
        prop_assert_eq!(&expanded, &folios);
        let mut delta = 0;
        for run in &runs {
            prop_assert_eq!(run.delta, delta);
            delta += run.pages;
        }
        prop_assert!(runs.windows(2).all(|pair| pair[0].folio != pair[1].folio));
    }
}

#[test]
fn a_run_of_pointers_takes_16_bytes() {
    assert_eq!(std::mem::size_of::<Run<*const ()>>(), 16);
}
