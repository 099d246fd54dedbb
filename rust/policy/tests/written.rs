// SPDX-License-Identifier: GPL-2.0

//! Memories against the list of what was submitted.

use pinlease_policy::written::{Fingerprint, Memory};
use proptest::prelude::*;

/// Few, so that they meet, and those that are next to what is reserved.
fn contents() -> impl Strategy<Value = Vec<u128>> {
    prop::collection::vec(prop_oneof![0u128..5, Just(u128::MAX)], 0..6)
}

proptest! {
    #[test]
    fn one_content_is_remembered(submitted in contents()) {
        let mut memory = Memory::NOTHING;
        let fingerprints: Vec<_> = submitted.into_iter().map(Fingerprint::new).collect();
        for &fingerprint in &fingerprints {
            memory.submits(fingerprint);
        }
        let first = fingerprints.first().copied();
        let expected = first.filter(|first| fingerprints.iter().all(|other| other == first));
        prop_assert_eq!(memory.fingerprint(), expected);
    }
}

#[test]
fn a_memory_takes_16_bytes() {
    assert_eq!(std::mem::size_of::<Memory>(), 16);
}
