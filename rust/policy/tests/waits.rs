// SPDX-License-Identifier: GPL-2.0

//! Circles of waits against a model: who can be reached, step by step.

use pinlease_policy::waits::{may_close_circle, Wait, FOLLOWED, LOOKS};
use proptest::prelude::*;
use std::{collections::BTreeSet, ops::Bound};

type Waits = BTreeSet<(u32, u32)>;

/// Few processes, so that circles are as frequent as their absence.
fn waits(processes: u32) -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((0..processes, 0..processes), 0..12)
}

/// Everybody for whom `from` waits, at first hand or not, and itself.
fn reached(waits: &Waits, from: u32) -> BTreeSet<u32> {
    let mut reached = BTreeSet::from([from]);
    loop {
        let next = waits
            .iter()
            .filter(|(waiter, _)| reached.contains(waiter))
            .map(|&(_, holder)| holder);
        let mut more = reached.clone();
        more.extend(next);
        if more == reached {
            return reached;
        }
        reached = more;
    }
}

/// Whether a wait may close a circle, and how often a wait was asked for.
fn search(waits: &Waits, waiter: u32, holder: u32, looks: &mut usize) -> (bool, usize) {
    let mut asked = 0;
    let closes = may_close_circle(Wait { waiter, holder }, looks, |waiter, last| {
        asked += 1;
        let from = last.map_or(Bound::Included((waiter, 0)), |last| {
            Bound::Excluded((waiter, last))
        });
        let next = waits.range((from, Bound::Included((waiter, u32::MAX))));
        next.map(|&(_, holder)| holder).next()
    });
    (closes, asked)
}

fn closes(waits: &Waits, waiter: u32, holder: u32) -> bool {
    search(waits, waiter, holder, &mut LOOKS.clone()).0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_circle_is_a_way_back(waits in waits(7), waiter in 0u32..7, holder in 0u32..7) {
        let waits = Waits::from_iter(waits);
        prop_assert_eq!(
            closes(&waits, waiter, holder),
            reached(&waits, holder).contains(&waiter)
        );
    }

    #[test]
    fn who_is_refused_leaves_no_circle(all in waits(5)) {
        let mut waits = Waits::new();
        for (waiter, holder) in all {
            if !closes(&waits, waiter, holder) {
                waits.insert((waiter, holder));
            }
        }
        for &(waiter, holder) in &waits {
            prop_assert!(!reached(&waits, holder).contains(&waiter));
        }
    }
}

#[test]
fn two_who_wait_for_each_other() {
    assert!(!closes(&Waits::new(), 1, 2));
    assert!(closes(&Waits::from([(1, 2)]), 2, 1));
}

#[test]
fn who_waits_for_itself() {
    assert!(closes(&Waits::new(), 1, 1));
}

#[test]
fn a_row_is_followed_so_far() {
    let row = |length| (0..length).map(|number| (number, number + 1)).collect();
    let followed = FOLLOWED as u32;
    assert!(!closes(&row(followed - 1), u32::MAX, 0));
    assert!(closes(&row(followed), u32::MAX, 0));
}

#[test]
fn a_crowd_takes_no_longer() {
    // Each waits for each after it: no circle, but very many ways.
    let all = FOLLOWED as u32;
    let pairs = (0..all).flat_map(|waiter| (waiter + 1..all).map(move |holder| (waiter, holder)));
    let waits = Waits::from_iter(pairs);
    assert!(waits.len() > LOOKS);
    let mut looks = LOOKS;
    let (closes, asked) = search(&waits, u32::MAX, 0, &mut looks);
    assert!(closes && looks == 0);
    assert!(asked <= LOOKS + FOLLOWED + 1, "asked {asked} times");
    // What is used up is used up for whatever else the breaker meets.
    assert!(search(&waits, u32::MAX, all - 2, &mut looks).0);
    assert!(!search(&waits, u32::MAX, all - 1, &mut looks).0);
}
