// SPDX-License-Identifier: GPL-2.0
//! One lease, and what was done for it between two looks.

use std::time::Duration;

use pinlease::{statistics::Activity, LeaseInfo, State};

use super::amount::amount;
use crate::{
    row::lossy,
    units::{printable, range, time},
};

/// A lease in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub id: u64,
    /// The path, or what is known of the file without it.
    pub file: String,
    /// Bytes in its pins.
    pub pinned: u64,
    /// What was done per second; `None`: it is not known.
    pub rates: Option<Rates>,
    /// Breakers since it was acquired; `None`: it is not known.
    pub breaks: Option<u64>,
    range: String,
    pid: Option<i32>,
    comm: String,
    policy: String,
    state: String,
}

/// What was done per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Bytes that were made dirty.
    pub dirty: f64,
    /// Bytes that were copied to be written.
    pub bounced: f64,
    /// Folios that were made dirty.
    pub rearmed: f64,
}

impl Rates {
    /// Between two looks that were so long apart; 0 for no time.
    pub fn between(before: &Activity, after: &Activity, apart: Duration) -> Self {
        let rate = |before: u64, after: u64| match apart.is_zero() {
            true => 0.0,
            false => after.saturating_sub(before) as f64 / apart.as_secs_f64(),
        };
        Self {
            dirty: rate(before.rearmed_bytes, after.rearmed_bytes),
            bounced: rate(before.bounced_bytes, after.bounced_bytes),
            rearmed: rate(before.rearmed, after.rearmed),
        }
    }

    /// Of both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            dirty: self.dirty + other.dirty,
            bounced: self.bounced + other.bounced,
            rearmed: self.rearmed + other.rearmed,
        }
    }
}

impl Line {
    /// What the cells are called.
    pub const HEADER: [&str; 11] = [
        "LEASE", "FILE", "RANGE", "HOLDER", "POLICY", "STATE", "PIN", "DIRTY/s", "COPY/s", "ARM/s",
        "BRK",
    ];

    /// Describes a lease at the time `now`.
    pub fn new(
        lease: &LeaseInfo,
        rates: Option<Rates>,
        breaks: Option<u64>,
        now: Duration,
    ) -> Self {
        let path = lease.path.as_deref().map(lossy);
        let remaining = lease.deadline.filter(|_| lease.state == State::Breaking);
        let remaining = remaining.map(|at| at.saturating_sub(now));
        Self {
            id: lease.id,
            file: match path {
                Some(path) => printable(&path),
                None => format!(
                    "inode {} on {}:{}",
                    lease.inode,
                    lease.major(),
                    lease.minor()
                ),
            },
            range: range(lease.offset, lease.length),
            pid: lease.pid,
            comm: printable(&lease.comm),
            policy: lease.policy.map_or("?".into(), |policy| policy.to_string()),
            state: match remaining {
                Some(left) => format!("break {}", time(Duration::from_secs(left.as_secs()))),
                None => lease.state.to_string(),
            },
            pinned: lease.pinned_bytes,
            rates,
            breaks,
        }
    }

    /// Its cells, with no more than `file` characters of the file's name.
    pub fn cells(&self, file: Option<usize>, with_comm: bool) -> [String; 11] {
        let unknown = || "-".to_owned();
        let rate = |of: fn(&Rates) -> f64| {
            let rate = self.rates.as_ref().map(of);
            rate.map_or_else(unknown, amount)
        };
        [
            self.id.to_string(),
            file.map_or_else(|| self.file.clone(), |width| end_of(&self.file, width)),
            self.range.clone(),
            match self.pid {
                Some(pid) if with_comm => format!("{pid} {}", self.comm),
                Some(pid) => pid.to_string(),
                None => unknown(),
            },
            self.policy.clone(),
            self.state.clone(),
            amount(self.pinned as f64),
            rate(|rates| rates.dirty),
            rate(|rates| rates.bounced),
            rate(|rates| rates.rearmed),
            self.breaks
                .map_or_else(unknown, |breaks| breaks.to_string()),
        ]
    }
}

/// The end of a name, which tells more than its beginning.
fn end_of(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name
        .chars()
        .skip(length - width.saturating_sub(1))
        .collect();
    format!("<{end}")
}

#[cfg(test)]
mod tests {
    use pinlease::uapi;

    use super::*;

    fn activity(rearmed: u64) -> Activity {
        Activity {
            rearmed,
            rearmed_bytes: 4096 * rearmed,
            bounced_bytes: 2048 * rearmed,
            ..Activity::default()
        }
    }

    #[test]
    fn rates() {
        let between = |apart| Rates::between(&activity(10), &activity(30), apart);
        let expected = Rates {
            dirty: 40960.0,
            bounced: 20480.0,
            rearmed: 10.0,
        };
        assert_eq!(between(Duration::from_secs(2)), expected);
        assert_eq!(between(Duration::ZERO), Rates::default());
        // Another lease cannot have the number, but a module that was loaded anew can.
        let less = Rates::between(&activity(30), &activity(10), Duration::from_secs(1));
        assert_eq!(less, Rates::default());
        assert_eq!(expected.plus(expected).rearmed, 20.0);
    }

    #[test]
    fn cells() {
        let mut raw = uapi::pinlease_next {
            id: 12,
            state: uapi::PINLEASE_STATE_BREAKING,
            deadline_ns: 40_500_000_000,
            length: 64 << 20,
            pinned_bytes: 2 << 20,
            pid: 4711,
            path_size: 12,
            ..Default::default()
        };
        raw.comm[0] = 97;
        let lease = LeaseInfo::from_raw(&raw, b"/srv/frames\0");
        let rates = Rates::between(&activity(0), &activity(512), Duration::from_secs(1));
        let line = Line::new(&lease, Some(rates), Some(3), Duration::from_secs(9));
        assert_eq!(
            line.cells(Some(6), true),
            [
                "12",
                "<rames",
                "0,64M",
                "4711 a",
                "kill",
                "break 31s",
                "2.0M",
                "2.0M",
                "1.0M",
                "512",
                "3"
            ]
        );
        let unknown = Line::new(&lease, None, None, Duration::ZERO);
        let cells = unknown.cells(None, false);
        assert_eq!(
            (cells[1].as_str(), cells[3].as_str()),
            ("/srv/frames", "4711")
        );
        assert_eq!(cells[7..], ["-", "-", "-", "-"]);
    }

    #[test]
    fn ends_of_names() {
        assert_eq!(end_of("/a/b", 4), "/a/b");
        assert_eq!(end_of("/a/bc", 4), "</bc");
        assert_eq!(end_of("/ä/ö", 3), "</ö");
        assert_eq!(end_of("abc", 1), "<");
    }
}
