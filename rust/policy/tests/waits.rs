// SPDX-License-Identifier: GPL-2.0

//! Circles of waits against a model: who can be reached, step by step.

use pinlease_policy::waits::{closes_circle, Wait};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Few processes, so that circles are as frequent as their absence.
fn waits(processes: u8) -> impl Strategy<Value = Vec<Wait<u8>>> {
    prop::collection::vec((0..processes, 0..processes), 0..12).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(waiter, holder)| Wait { waiter, holder })
            .collect()
    })
}

/// Everybody for whom `from` waits, at first hand or not, and itself.
fn reached(waits: &[Wait<u8>], from: u8) -> BTreeSet<u8> {
    let mut reached = BTreeSet::from([from]);
    loop {
        let next = waits
            .iter()
            .filter(|wait| reached.contains(&wait.waiter))
            .map(|wait| wait.holder);
        let mut more = reached.clone();
        more.extend(next);
        if more == reached {
            return reached;
        }
        reached = more;
    }
}

fn sorted(waits: &[Wait<u8>]) -> Vec<(u8, u8)> {
    let mut pairs: Vec<_> = waits
        .iter()
        .map(|wait| (wait.waiter, wait.holder))
        .collect();
    pairs.sort_unstable();
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_circle_is_a_way_back(mut waits in waits(7), waiter in 0u8..7, holder in 0u8..7) {
        let before = waits.clone();
        let closes = closes_circle(&mut waits, Wait { waiter, holder });
        prop_assert_eq!(closes, reached(&before, holder).contains(&waiter));
        // It sorts them, and loses none.
        prop_assert_eq!(sorted(&waits), sorted(&before));
    }

    #[test]
    fn who_is_refused_leaves_no_circle(all in waits(5)) {
        let mut waits = Vec::new();
        for wait in all {
            if !closes_circle(&mut waits, wait) {
                waits.push(wait);
            }
        }
        for wait in &waits {
            prop_assert!(!reached(&waits, wait.holder).contains(&wait.waiter));
        }
    }
}

#[test]
fn two_who_wait_for_each_other() {
    let (one, other) = (
        Wait {
            waiter: 1,
            holder: 2,
        },
        Wait {
            waiter: 2,
            holder: 1,
        },
    );
    assert!(!closes_circle(&mut [], one));
    assert!(closes_circle(&mut [one], other));
}

#[test]
fn who_waits_for_itself() {
    let own = Wait {
        waiter: 1,
        holder: 1,
    };
    assert!(closes_circle(&mut [], own));
}
