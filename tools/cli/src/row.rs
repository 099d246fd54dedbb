// SPDX-License-Identifier: GPL-2.0
//! One lease in the list.

use std::{path::Path, time::Duration};

use pinlease::{LeaseInfo, Policy, State};
use serde::Serialize;

use crate::{
    units::{bytes, milliseconds, nanoseconds, printable, range, time},
    users::Users,
};

/// A lease as JSON has it.
#[derive(Debug, Serialize)]
pub struct Row {
    id: u64,
    /// `null`: the caller may not know it.
    path: Option<String>,
    /// `major:minor` of the superblock's device.
    device: String,
    inode: u64,
    /// Bytes, like all sizes.
    offset: u64,
    length: u64,
    /// `null`: the caller cannot see the process.
    pid: Option<i32>,
    comm: Option<String>,
    uid: u32,
    /// `null`: /etc/passwd does not have it.
    user: Option<String>,
    /// `null`: a policy that this program does not know.
    policy: Option<String>,
    /// `null`: breakers wait for ever, or not at all.
    grace_ms: Option<u64>,
    pins: u64,
    pinned_bytes: u64,
    /// Whether others may pin.
    grant: bool,
    /// What anybody pins; `null`: without a grant it is not looked for.
    granted_bytes: Option<u64>,
    /// dma-bufs that have its pages.
    exports: u32,
    state: String,
    /// When the policy acts, CLOCK_MONOTONIC; `null`: never, or nobody breaks.
    deadline_ns: Option<u64>,
    /// How long it is until then.
    remaining_ms: Option<u64>,
}

impl Row {
    /// What the table calls the cells.
    pub const HEADER: [&str; 12] = [
        "LEASE", "FILE", "RANGE", "HOLDER", "USER", "POLICY", "GRACE", "PINS", "BYTES", "GRANTED",
        "EXPORTS", "STATE",
    ];

    /// Describes `lease` at the time `now`.
    pub fn new(lease: &LeaseInfo, users: &Users, now: Duration) -> Self {
        let breaking = lease.state == State::Breaking;
        let deadline = lease.deadline.filter(|_| breaking);
        let has_grace = !matches!(lease.policy, Some(Policy::Block | Policy::Refuse));
        Self {
            id: lease.id,
            path: lease.path.as_deref().map(lossy),
            device: format!("{}:{}", lease.major(), lease.minor()),
            inode: lease.inode,
            offset: lease.offset,
            length: lease.length,
            pid: lease.pid,
            comm: lease.pid.map(|_| lease.comm.clone()),
            uid: lease.uid,
            user: users.name(lease.uid).map(Into::into),
            policy: lease.policy.map(|policy| policy.to_string()),
            grace_ms: has_grace.then(|| milliseconds(lease.grace)),
            pins: lease.pins,
            pinned_bytes: lease.pinned_bytes,
            grant: lease.grant,
            granted_bytes: lease.grant.then_some(lease.granted_bytes),
            exports: lease.exports,
            state: lease.state.to_string(),
            deadline_ns: deadline.map(nanoseconds),
            remaining_ms: deadline.map(|at| milliseconds(at.saturating_sub(now))),
        }
    }

    /// The table's cells.
    pub fn cells(&self) -> [String; 12] {
        let none = || "-".to_owned();
        let holder = self.pid.map(|pid| {
            let comm = self.comm.as_deref().unwrap_or_default();
            format!("{pid} {}", printable(comm))
        });
        let remaining = self.remaining_ms.map(Duration::from_millis).map(time);
        [
            self.id.to_string(),
            self.file(),
            range(self.offset, self.length),
            holder.unwrap_or_else(none),
            self.user.clone().unwrap_or_else(|| self.uid.to_string()),
            self.policy.clone().unwrap_or_else(|| "?".into()),
            self.grace_ms
                .map_or_else(none, |grace| time(Duration::from_millis(grace))),
            self.pins.to_string(),
            bytes(self.pinned_bytes),
            self.granted_bytes.map_or_else(none, bytes),
            match self.exports {
                0 => none(),
                exports => exports.to_string(),
            },
            match remaining {
                Some(remaining) => format!("{} {remaining}", self.state),
                None => self.state.clone(),
            },
        ]
    }

    /// The path, or what is known of the file without it.
    fn file(&self) -> String {
        match &self.path {
            Some(path) => printable(path),
            None => format!("inode {} on {}", self.inode, self.device),
        }
    }
}

/// A path as text; what is not UTF-8 is replaced.
pub fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use pinlease::uapi;

    use super::*;

    fn raw() -> uapi::pinlease_next {
        let mut raw = uapi::pinlease_next {
            state: uapi::PINLEASE_STATE_BREAKING,
            id: 9,
            offset: 4096,
            length: 2 << 20,
            pins: 2,
            pinned_bytes: 8192,
            inode: 12,
            deadline_ns: 7_500_000_000,
            policy: uapi::PINLEASE_POLICY_REVOKE,
            grace_ms: 1500,
            pid: 77,
            uid: 4_000_000_000,
            path_size: 6,
            ..Default::default()
        };
        raw.comm[0] = 97;
        raw
    }

    fn row(raw: &uapi::pinlease_next) -> Row {
        let lease = LeaseInfo::from_raw(raw, b"/mn\nt\0");
        Row::new(&lease, &Users::default(), Duration::from_secs(5))
    }

    #[test]
    fn cells() {
        let cells = row(&raw()).cells();
        let expected = [
            "9",
            "/mn\\nt",
            "4K,2M",
            "77 a",
            "4000000000",
            "revoke",
            "1.5s",
            "2",
            "8K",
            "-",
            "-",
            "breaking 2.5s",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn grants() {
        let granted = uapi::pinlease_next {
            flags: uapi::PINLEASE_ACQUIRE_GRANT,
            granted_bytes: 0,
            ..raw()
        };
        assert_eq!(row(&granted).cells()[9], "0");
        let pinned = uapi::pinlease_next {
            granted_bytes: 1 << 20,
            ..granted
        };
        assert_eq!(row(&pinned).cells()[9], "1M");
        let json = serde_json::to_value(row(&pinned)).unwrap();
        assert_eq!(
            (&json["grant"], &json["granted_bytes"]),
            (&true.into(), &(1 << 20).into())
        );
        let json = serde_json::to_value(row(&raw())).unwrap();
        assert!(json["grant"] == false && json["granted_bytes"].is_null());
    }

    #[test]
    fn exports() {
        let exported = uapi::pinlease_next {
            exports: 3,
            ..raw()
        };
        assert_eq!(row(&exported).cells()[10], "3");
        let json = serde_json::to_value(row(&exported)).unwrap();
        assert_eq!(json["exports"], 3);
    }

    #[test]
    fn what_cannot_be_seen() {
        let cells = row(&uapi::pinlease_next {
            path_size: 0,
            pid: 0,
            policy: uapi::PINLEASE_POLICY_BLOCK,
            deadline_ns: 0,
            ..raw()
        })
        .cells();
        assert_eq!(cells[1], "inode 12 on 0:0");
        assert_eq!(cells[3], "-");
        assert_eq!(cells[6], "-");
        assert_eq!(cells[11], "breaking");
    }

    #[test]
    fn json() {
        let json = serde_json::to_value(row(&raw())).unwrap();
        assert_eq!(json["path"], "/mn\nt");
        assert_eq!(json["length"], 2 << 20);
        assert_eq!(json["grace_ms"], 1500);
        assert_eq!(json["remaining_ms"], 2500);
        assert_eq!(json["deadline_ns"], 7_500_000_000_u64);
        assert_eq!(json["state"], "breaking");
        assert!(json["user"].is_null());
        // Only a break has a deadline.
        let held = uapi::pinlease_next {
            state: uapi::PINLEASE_STATE_HELD,
            ..raw()
        };
        let json = serde_json::to_value(row(&held)).unwrap();
        assert!(json["deadline_ns"].is_null() && json["remaining_ms"].is_null());
    }
}
