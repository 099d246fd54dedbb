// SPDX-License-Identifier: GPL-2.0

//! Quotas, and the sizes of extensible structures, against what copy_struct_from_user() says.

use pinlease_policy::limits::{Exceeded, Quota};
use pinlease_policy::structure_size::{layout, Layout, SizeError, LARGEST};
use proptest::prelude::*;

proptest! {
    /// The limit may change between any two calls.
    #[test]
    fn a_quota_counts(calls in prop::collection::vec(prop::option::of(0u64..6), 0..60)) {
        let (mut quota, mut used) = (Quota::default(), 0);
        for limit in calls {
            match limit {
                Some(limit) => {
                    let expected = if used < limit { Ok(()) } else { Err(Exceeded) };
                    prop_assert_eq!(quota.take(limit), expected);
                    used += u64::from(used < limit);
                }
                None => {
                    used = used.saturating_sub(1);
                    prop_assert_eq!(quota.give_back(), used == 0);
                }
            }
        }
    }

    /// What is copied and what must be zero is all that the caller has, and no more than a page.
    #[test]
    fn every_byte_is_copied_or_zero(given in 0usize..2 * LARGEST, first in 1usize..64, more in 0usize..64) {
        let ours = first + more;
        match layout(given, first, ours) {
            Ok(layout) => {
                prop_assert!(given >= first && given <= LARGEST);
                prop_assert_eq!(layout.copied + layout.must_be_zero, given);
                prop_assert!(layout.copied <= ours);
                prop_assert!(layout.must_be_zero == 0 || layout.copied == ours);
            }
            Err(SizeError::TooSmall) => prop_assert!(given < first),
            Err(SizeError::TooLarge) => prop_assert!(given > LARGEST),
        }
    }
}

#[test]
fn a_quota_is_kept_and_given_back() {
    let mut quota = Quota::default();
    assert_eq!(quota.take(2), Ok(()));
    assert_eq!(quota.take(2), Ok(()));
    assert_eq!(quota.take(2), Err(Exceeded));
    assert!(!quota.give_back());
    assert_eq!(quota.take(2), Ok(()));
}

#[test]
fn older_and_newer_callers() {
    assert_eq!(
        layout(16, 16, 24),
        Ok(Layout {
            copied: 16,
            must_be_zero: 0
        })
    );
    assert_eq!(
        layout(24, 16, 24),
        Ok(Layout {
            copied: 24,
            must_be_zero: 0
        })
    );
    assert_eq!(
        layout(40, 16, 24),
        Ok(Layout {
            copied: 24,
            must_be_zero: 16
        })
    );
    assert_eq!(layout(15, 16, 24), Err(SizeError::TooSmall));
    assert_eq!(layout(4097, 16, 24), Err(SizeError::TooLarge));
}
