// SPDX-License-Identifier: GPL-2.0
//! What a lazy IOMMU leaves open: for some milliseconds after the unmap a device
//! that knows the address still gets through.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Result};

use crate::{
    harness::{skip, Context, TestResult},
    support::{
        edu::{Domain, EduRig, Edus, Fault, Passes, Revoked, TRANSFER},
        residue, Stamp,
    },
};

/// How often it is tried to hit the moment.
const TRIES: u64 = 60;

/// A generation that no device writes.
const SENTINEL: u64 = 1 << 20;

/// Without waiting for the IOMMU writes come through; with it, none in as many
/// tries.
pub fn window(context: &Context) -> TestResult {
    let _edus = Edus::rogue(context, Domain::Lazy)?;
    let begin = Instant::now();
    let mut tries = 0;
    let mut landed = false;
    while !landed && tries < TRIES {
        tries += 1;
        landed = comes_late(context, Fault::RogueUnflushed, tries)?;
    }
    println!(
        "not flushed: landed: {landed}, {tries} tries, {:?}",
        begin.elapsed()
    );
    if !landed {
        // Nor would it without the flush.
        return skip(format!(
            "no late write in {TRIES} tries: too slow to hit the milliseconds"
        ));
    }
    for number in 0..tries.max(5) {
        let late = comes_late(context, Fault::Rogue, number)?;
        ensure!(!late, "a write came through after the flush");
    }
    residue::none_left()
}

/// Revokes right before the device is to write; returns whether it did.
fn comes_late(context: &Context, fault: Fault, number: u64) -> Result<bool> {
    let mut rig = EduRig::new(&context.path("window"), 1, fault)?;
    rig.edu.start(0, 1, 1, Passes::Same)?;
    rig.edu.next_transfer()?;
    rig.edu.next_transfer()?;
    // The next one is a tenth of a second after that.
    thread::sleep(TRANSFER - Duration::from_millis(2 + number % 10));
    rig.revoke(Revoked::Closed)?;
    rig.mapped.stamp_by_cpu(SENTINEL);
    thread::sleep(TRANSFER / 2);
    Ok(Stamp::read(&rig.mapped.load(0), 0) != Stamp::Whole(SENTINEL))
}
