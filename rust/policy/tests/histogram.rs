// SPDX-License-Identifier: GPL-2.0

//! Histograms against a list of what was added.

use pinlease_policy::histogram::{Bucket, Histogram, BUCKETS};
use proptest::prelude::*;

/// Of all sizes, and those at the ends of buckets.
fn values() -> impl Strategy<Value = Vec<u64>> {
    let near_a_power =
        (0u32..64, -1i64..=1).prop_map(|(bit, more)| (1u64 << bit).wrapping_add_signed(more));
    prop::collection::vec(prop_oneof![any::<u64>(), near_a_power], 0..50)
}

fn filled(values: &[u64]) -> Vec<Bucket> {
    let histogram = Histogram::new();
    values.iter().for_each(|&value| histogram.add(value));
    histogram.buckets().collect()
}

proptest! {
    #[test]
    fn every_value_is_in_its_bucket(values in values()) {
        let buckets = filled(&values);
        for bucket in &buckets {
            let within = values.iter().filter(|&&value| (bucket.from..=bucket.to).contains(&value));
            prop_assert_eq!(within.count() as u64, bucket.count);
            prop_assert!(bucket.count > 0);
        }
        let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
        prop_assert_eq!(total, values.len() as u64);
    }

    #[test]
    fn buckets_are_powers_of_two(values in values()) {
        for Bucket { from, to, .. } in filled(&values) {
            prop_assert!(from == 0 || from.is_power_of_two());
            prop_assert!(to == u64::MAX || to == (2 * from).saturating_sub(1));
        }
    }
}

#[test]
fn buckets_have_no_gap() {
    let ends: Vec<u64> = (0..64).map(|bit| 1 << bit).chain([0]).collect();
    let buckets = filled(&ends);
    assert_eq!(buckets.len(), BUCKETS);
    for pair in buckets.windows(2) {
        assert_eq!(pair[0].to + 1, pair[1].from);
    }
    assert_eq!((buckets[0].from, buckets[BUCKETS - 1].to), (0, u64::MAX));
}
