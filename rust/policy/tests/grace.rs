// SPDX-License-Identifier: GPL-2.0

//! How long breakers wait.

use pinlease_policy::grace::{grace, patience, TooLong, MILLISECOND};
use proptest::prelude::*;

proptest! {
    #[test]
    fn nobody_gets_more_than_the_maximum_without_privilege(
        asked: u32,
        usual: u32,
        maximum: u32,
    ) {
        if let Ok(grace) = grace(asked, usual, maximum, false) {
            prop_assert!(grace <= maximum);
        }
    }

    #[test]
    fn who_asks_gets_that_or_an_error(asked in 1u32.., usual: u32, maximum: u32) {
        let expected = if asked <= maximum { Ok(asked) } else { Err(TooLong) };
        prop_assert_eq!(grace(asked, usual, maximum, false), expected);
        prop_assert_eq!(grace(asked, usual, maximum, true), Ok(asked));
    }

    #[test]
    fn who_does_not_ask_never_fails(usual: u32, maximum: u32, privileged: bool) {
        let given = grace(0, usual, maximum, privileged).unwrap();
        let usual_ms = match usual {
            0 => u64::MAX,
            seconds => u64::from(seconds) * 1000,
        };
        prop_assert_eq!(u64::from(given), usual_ms.min(maximum.into()));
    }

    #[test]
    fn nobody_gives_up_before_the_policy_acted(
        began: u64,
        deadline: u64,
        bound: bool,
        maximum: u32,
    ) {
        let end = patience(began, Some(deadline), bound, maximum).unwrap();
        prop_assert!(end >= deadline && end >= began);
        let exact = u128::from(began.max(deadline))
            + u128::from(maximum) * u128::from(MILLISECOND);
        prop_assert_eq!(u128::from(end), exact.min(u64::MAX.into()));
    }

    #[test]
    fn blocking_ends_only_for_those_that_it_may_not_stall(began: u64, maximum: u32) {
        prop_assert_eq!(patience(began, None, false, maximum), None);
        let end = patience(began, None, true, maximum).unwrap();
        prop_assert_eq!(end, began.saturating_add(u64::from(maximum) * MILLISECOND));
    }
}

#[test]
fn the_usual_grace_is_in_seconds() {
    assert_eq!(grace(0, 45, 60_000, false), Ok(45_000));
    assert_eq!(grace(0, 90, 60_000, true), Ok(60_000));
}

#[test]
fn no_usual_grace_means_the_longest() {
    assert_eq!(grace(0, 0, 60_000, false), Ok(60_000));
}

#[test]
fn a_negative_sysctl_is_no_end_either() {
    assert_eq!(grace(0, -1i32 as u32, 60_000, false), Ok(60_000));
}
