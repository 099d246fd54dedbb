// SPDX-License-Identifier: GPL-2.0
//! Revoked in the middle of transfers, for half of [`Context::rounds`] (behind an IOMMU
//! a sixth): the driver stops its device, and nothing is written after the revoke.

use std::{thread, time::Duration};

use anyhow::{ensure, Result};

use super::rogue::Faults;
use crate::{
    harness::{Context, TestResult},
    support::{
        edu::{Domain, EduRig, Edus, Fault, Passes, Revoked, TRANSFER},
        residue, Stamp,
    },
};

const PAGES: u64 = 2;

/// A generation that no device writes.
const SENTINEL: u64 = 1 << 20;

/// Nothing keeps the devices from writing.
pub fn direct(context: &Context) -> TestResult {
    check(context, Domain::Passthrough, context.rounds / 2)
}

/// As kernels come: an IOMMU that is lazy. It has nothing to refuse.
pub fn behind_iommu(context: &Context) -> TestResult {
    check(context, Domain::Lazy, context.rounds / 6)
}

fn check(context: &Context, domain: Domain, wanted: u64) -> TestResult {
    let edus = Edus::usual(context, domain, 1)?;
    let mut faults = Faults::count()?;
    let mut revokes = 0;
    let mut transfers = 0;
    while revokes == 0 || revokes < wanted {
        let (revoked, written) = round(context, edus.count())?;
        revokes += revoked;
        transfers += written;
    }
    println!("{revokes} revokes, {transfers} transfers before them");
    ensure!(transfers > 0, "no device ever wrote");
    let refused = faults.so_far();
    ensure!(refused == 0, "the IOMMU refused {refused} accesses");
    residue::none_left()
}

/// Revokes all devices, each at another moment of its transfer; returns how many,
/// and what they had written.
fn round(context: &Context, devices: usize) -> Result<(u64, u64)> {
    let mut rigs = (0..devices)
        .map(|index| {
            let rig = EduRig::new(&context.path(&format!("late-{index}")), PAGES, Fault::None)?;
            rig.edu.start(0, PAGES, 1, Passes::Counting)?;
            Ok(rig)
        })
        .collect::<Result<Vec<_>>>()?;
    thread::sleep(TRANSFER + Duration::from_millis(fastrand::u64(..200)));
    for (index, rig) in rigs.iter_mut().enumerate() {
        let how = match index % 2 {
            0 => Revoked::Closed,
            _ => Revoked::Truncated,
        };
        rig.revoke(how)?;
        if how == Revoked::Truncated {
            rig.extend()?;
        }
        // From now on nobody but us writes.
        rig.mapped.stamp_by_cpu(SENTINEL);
        thread::sleep(Duration::from_millis(fastrand::u64(..20)));
    }
    // Those that were revoked last have had no time yet.
    thread::sleep(2 * TRANSFER);
    let mut transfers = 0;
    for (index, rig) in rigs.iter().enumerate() {
        for page in 0..PAGES {
            let seen = Stamp::read(&rig.mapped.load(page), page);
            ensure!(
                seen == Stamp::Whole(SENTINEL),
                "device {index} wrote page {page} after the revoke: {seen:?}"
            );
        }
        transfers += rig.edu.status()?.transfers;
    }
    Ok((devices as u64, transfers))
}
