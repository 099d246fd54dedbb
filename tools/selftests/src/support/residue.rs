// SPDX-License-Identifier: GPL-2.0
//! What leases must not leave behind.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use pinlease::{Device, LeaseInfo};

use super::proc::{pins_taken_and_given, wait_for};

/// Pins end shortly after the last descriptor is closed; under load, later.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until no lease, no pin and no entry in the kernel's list is left.
///
/// # Errors
///
/// Something stays.
pub fn none_left() -> Result<()> {
    let mut left = Vec::new();
    let none = || {
        left = everything()?;
        Ok(left.is_empty())
    };
    let waited = wait_for("nothing is left", LIMIT, none);
    waited.with_context(|| left.join("\n")).map(drop)
}

fn everything() -> Result<Vec<String>> {
    let mut left = Vec::new();
    for lease in all_leases()? {
        left.push(format!("{lease:?}"));
    }
    let locks = fs::read_to_string("/proc/locks")?;
    left.extend(
        locks
            .lines()
            .filter(|line| line.contains("LEASE"))
            .map(ToOwned::to_owned),
    );
    let (taken, given) = pins_taken_and_given()?;
    if taken != given {
        left.push(format!("{taken} pins were taken, {given} given back"));
    }
    Ok(left)
}

/// All leases of the system.
///
/// # Errors
///
/// The device does not tell.
pub fn all_leases() -> Result<Vec<LeaseInfo>> {
    Device::open()?
        .leases()
        .collect::<Result<_, _>>()
        .context("listing all leases")
}
