// SPDX-License-Identifier: GPL-2.0

//! Coverage against a model: the set of all pages.

use pinlease_policy::{coverage::covers, range::PageRange};
use proptest::prelude::*;

fn small() -> impl Strategy<Value = PageRange> {
    (0u64..24, 1u64..12).prop_map(|(first, count)| PageRange::new(first, count).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn covered_is_every_page(whole in small(), mut ranges in prop::collection::vec(small(), 0..6)) {
        ranges.sort_by_key(PageRange::first);
        let every = (whole.first()..whole.end())
            .all(|page| ranges.iter().any(|range| (range.first()..range.end()).contains(&page)));
        prop_assert_eq!(covers(whole, ranges.into_iter()), every);
    }
}
