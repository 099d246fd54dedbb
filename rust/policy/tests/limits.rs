// SPDX-License-Identifier: GPL-2.0

//! Quotas and the sizes of extensible structures.

use pinlease_policy::limits::{Exceeded, Quota};
use pinlease_policy::structure_size::{layout, Layout, SizeError};

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
