// SPDX-License-Identifier: GPL-2.0
//! One look at everything.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, ErrorKind},
    time::Duration,
};

use pinlease::{
    monotonic,
    statistics::{activities, totals, Activity},
    Device, LeaseInfo, ListError,
};

/// What there was at a time.
#[derive(Debug)]
pub struct Sample {
    /// When, CLOCK_MONOTONIC.
    pub time: Duration,
    /// All leases.
    pub leases: Vec<LeaseInfo>,
    /// What debugfs has; or in one line, why that is not known.
    pub counts: Result<Counts, String>,
}

/// What debugfs has.
#[derive(Debug, Default)]
pub struct Counts {
    /// By the lease's id.
    pub activities: HashMap<u64, Activity>,
    /// By name.
    pub totals: BTreeMap<String, u64>,
}

impl Sample {
    /// Looks.
    pub fn take(device: &Device) -> Result<Self, ListError> {
        let leases = device.leases().collect::<Result<_, _>>()?;
        Ok(Self {
            // That of the counts, of which rates are made.
            time: monotonic(),
            counts: counts().map_err(|error| missing(&error)),
            leases,
        })
    }
}

fn counts() -> io::Result<Counts> {
    let activities = activities()?;
    let by_id = activities
        .into_iter()
        .map(|activity| (activity.id, activity));
    Ok(Counts {
        activities: by_id.collect(),
        totals: totals()?,
    })
}

/// What is missing, and what to do about it.
fn missing(error: &io::Error) -> String {
    let what = "rates and breaks are not known";
    match error.kind() {
        ErrorKind::PermissionDenied => format!("{what}: debugfs is for root; run as root"),
        ErrorKind::NotFound => {
            format!("{what}: no debugfs; 'mount -t debugfs debugfs /sys/kernel/debug'")
        }
        _ => format!("{what}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_one_line() {
        for kind in [
            ErrorKind::PermissionDenied,
            ErrorKind::NotFound,
            ErrorKind::InvalidData,
        ] {
            let text = missing(&io::Error::new(kind, "x"));
            assert!(
                text.starts_with("rates and breaks are not known: "),
                "{text}"
            );
            assert_eq!(text.lines().count(), 1);
        }
        assert!(missing(&ErrorKind::PermissionDenied.into()).contains("run as root"));
    }
}
