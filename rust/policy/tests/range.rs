// SPDX-License-Identifier: GPL-2.0

//! Ranges against a model: the set of their pages.

use pinlease_policy::range::{PageRange, RangeError, PAGE_SIZE};
use proptest::prelude::*;

fn small() -> impl Strategy<Value = PageRange> {
    (0u64..40, 1u64..40).prop_map(|(first, count)| PageRange::new(first, count).unwrap())
}

proptest! {
    #[test]
    fn overlap_is_a_common_page(a in small(), b in small()) {
        let common = (a.first()..a.end()).any(|page| (b.first()..b.end()).contains(&page));
        prop_assert_eq!(a.overlaps(&b), common);
        prop_assert_eq!(b.overlaps(&a), common);
    }

    #[test]
    fn contains_means_every_page(a in small(), b in small()) {
        let all = (b.first()..b.end()).all(|page| (a.first()..a.end()).contains(&page));
        prop_assert_eq!(a.contains(&b), all);
    }

    #[test]
    fn widened_is_the_smallest_with_ends_at_multiples(range in small(), order in 0u32..6) {
        let pages = 1 << order;
        let wide = range.widened(pages);
        prop_assert!(wide.contains(&range));
        prop_assert_eq!((wide.first() % pages, wide.end() % pages), (0, 0));
        prop_assert!(wide.first() + pages > range.first() && range.end() + pages > wide.end());
    }

    #[test]
    fn joined_has_both_ends(a in small(), b in small()) {
        let joined = a.joined(&b);
        prop_assert_eq!(joined.first(), a.first().min(b.first()));
        prop_assert_eq!(joined.end(), a.end().max(b.end()));
    }

    #[test]
    fn intersection_is_every_common_page(a in small(), b in small()) {
        let common: Vec<u64> = (a.first()..a.end())
            .filter(|page| (b.first()..b.end()).contains(page))
            .collect();
        let found = a.intersection(&b).map_or(vec![], |both| (both.first()..both.end()).collect());
        prop_assert_eq!(found, common);
    }

    #[test]
    fn without_is_every_other_page(a in small(), b in small()) {
        let parts = a.without(&b);
        for page in 0..100 {
            let is_in = |range: &PageRange| (range.first()..range.end()).contains(&page);
            let in_parts = parts.iter().flatten().filter(|part| is_in(part)).count();
            prop_assert_eq!(in_parts, usize::from(is_in(&a) && !is_in(&b)));
        }
    }

    #[test]
    fn covering_touches_first_and_last_byte(offset in 0u64..1 << 40, length in 1u64..1 << 30) {
        let range = PageRange::covering(offset, length).unwrap();
        prop_assert_eq!(range.first(), offset / PAGE_SIZE);
        prop_assert_eq!(range.end() - 1, (offset + length - 1) / PAGE_SIZE);
    }

    #[test]
    fn bytes_of_any_range_fit_loff_t(offset in any::<u64>(), length in any::<u64>()) {
        if let Ok(range) = PageRange::covering(offset, length) {
            prop_assert!(i64::try_from(range.bytes().1).is_ok());
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(PageRange::aligned(1, PAGE_SIZE), Err(RangeError::Unaligned));
    assert_eq!(PageRange::aligned(0, 0), Err(RangeError::Empty));
    assert_eq!(
        PageRange::aligned(PAGE_SIZE, u64::MAX),
        Err(RangeError::Overflow)
    );
    assert_eq!(
        PageRange::aligned(1 << 63, PAGE_SIZE),
        Err(RangeError::Overflow)
    );
}

#[test]
fn fsync_of_everything_covers_the_last_page() {
    let all = PageRange::of_sync(0, i64::MAX).unwrap();
    assert!(all.contains(&PageRange::new(u64::MAX >> 13, 1).unwrap()));
    assert_eq!(PageRange::of_sync(8192, 4096), None);
    assert_eq!(PageRange::of_sync(-1, 4096), None);
}

#[test]
fn a_range_from_a_byte_has_no_end() {
    let tail = PageRange::from_byte(PAGE_SIZE + 1).unwrap();
    assert_eq!(tail.first(), 1);
    assert!(tail.overlaps(&PageRange::new(1 << 40, 1).unwrap()));
}
