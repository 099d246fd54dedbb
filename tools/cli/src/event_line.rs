// SPDX-License-Identifier: GPL-2.0
//! One event, for people and for programs.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use humantime::format_rfc3339_millis;
use pinlease::{Event, EventKind};
use serde::Serialize;

use crate::units::{milliseconds, nanoseconds, printable, range, time};

/// An event as JSON has it; its `Display` is one line of text.
#[derive(Debug, Serialize)]
pub struct EventLine {
    /// When it happened, UTC.
    time: String,
    /// The same by CLOCK_MONOTONIC.
    time_ns: u64,
    lease: u64,
    kind: String,
    /// `null`: it is not known, because the lease is gone or not the caller's.
    path: Option<String>,
    operation: Option<String>,
    /// The breaker's range, or the lease's; bytes.
    offset: u64,
    length: u64,
    /// The same in all events of one break; 0: none.
    breaker: u64,
    pid: Option<i32>,
    comm: Option<String>,
    policy: Option<String>,
    /// When the policy will act, CLOCK_MONOTONIC; `null`: never, or this is no
    /// break.
    deadline_ns: Option<u64>,
    /// How long it is until then.
    remaining_ms: Option<u64>,
    /// How many events are not there.
    lost: Option<u64>,
    /// Why it could not be saved, such as "ENOSPC".
    error: Option<String>,
    #[serde(skip)]
    is_break: bool,
}

/// The present time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For people.
    pub wall: SystemTime,
    /// That of events.
    pub monotonic: Duration,
}

impl Now {
    /// Asks both.
    pub fn get() -> Self {
        Self {
            wall: SystemTime::now(),
            monotonic: pinlease::monotonic(),
        }
    }
}

impl EventLine {
    /// Describes `event` of a lease on the file at `path`.
    pub fn new(event: &Event, path: Option<&str>, now: Now) -> Self {
        let ago = now.monotonic.saturating_sub(event.time);
        let wall = now.wall.checked_sub(ago).unwrap_or(now.wall);
        let (deadline, lost) = match event.kind {
            EventKind::Break { deadline } => (deadline, None),
            EventKind::Overflow { lost } => (None, Some(lost)),
            _ => (None, None),
        };
        let error = match event.kind {
            EventKind::Error { errno } => Some(format!("{errno:?}")),
            _ => None,
        };
        let remaining = deadline.map(|at| at.saturating_sub(now.monotonic));
        Self {
            time: format_rfc3339_millis(wall).to_string(),
            time_ns: nanoseconds(event.time),
            lease: event.lease,
            kind: event.kind.to_string(),
            path: path.map(Into::into),
            operation: event.operation.map(|operation| operation.to_string()),
            offset: event.offset,
            length: event.length,
            breaker: event.breaker,
            pid: event.pid,
            comm: event.pid.map(|_| event.comm.clone()),
            policy: event.policy.map(|policy| policy.to_string()),
            deadline_ns: deadline.map(nanoseconds),
            remaining_ms: remaining.map(milliseconds),
            lost,
            error,
            is_break: matches!(event.kind, EventKind::Break { .. }),
        }
    }
}

impl fmt::Display for EventLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lease {} {}", self.time, self.lease, self.kind)?;
        if let Some(lost) = self.lost {
            return write!(f, ": {lost} events lost");
        }
        match &self.operation {
            Some(operation) => write!(f, ": {operation} {}", range(self.offset, self.length))?,
            None if self.length != 0 => write!(f, ": {}", range(self.offset, self.length))?,
            None => {}
        }
        if let Some(error) = &self.error {
            write!(f, " not saved, {error}")?;
        }
        if let Some(pid) = self.pid {
            let comm = self.comm.as_deref().unwrap_or_default();
            write!(f, " by {pid} {}", printable(comm))?;
        }
        if let Some(policy) = &self.policy {
            write!(f, ", {policy}")?;
        }
        match self.remaining_ms {
            Some(remaining) => write!(f, " in {}", time(Duration::from_millis(remaining)))?,
            None if self.is_break => f.write_str(" never")?,
            None => {}
        }
        match &self.path {
            Some(path) => write!(f, ", {}", printable(path)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use pinlease::uapi;

    use super::*;

    fn now() -> Now {
        Now {
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            monotonic: Duration::from_secs(10),
        }
    }

    fn raw() -> uapi::pinlease_event {
        let mut raw = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_BREAK,
            lease: 7,
            breaker: 3,
            operation: uapi::PINLEASE_OPERATION_TRUNCATE,
            pid: 42,
            offset: 4096,
            length: u64::MAX,
            time_ns: 9_000_000_000,
            deadline_ns: 14_000_000_000,
            policy: uapi::PINLEASE_POLICY_KILL,
            ..Default::default()
        };
        raw.comm[0] = 97;
        raw.comm[1] = 10;
        raw
    }

    fn line(raw: uapi::pinlease_event, path: Option<&str>) -> EventLine {
        EventLine::new(&Event::from(raw), path, now())
    }

    #[test]
    fn text() {
        assert_eq!(
            line(raw(), Some("/mnt/f")).to_string(),
            "2001-09-09T01:46:39.000Z lease 7 break: truncate 4K,end by 42 a\\n, kill in 4s, /mnt/f"
        );
        let endless = uapi::pinlease_event {
            deadline_ns: 0,
            pid: 0,
            policy: uapi::PINLEASE_POLICY_BLOCK,
            ..raw()
        };
        assert_eq!(
            line(endless, None).to_string(),
            "2001-09-09T01:46:39.000Z lease 7 break: truncate 4K,end, block never"
        );
        let overflow = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_OVERFLOW,
            lost: 5,
            ..raw()
        };
        assert_eq!(
            line(overflow, None).to_string(),
            "2001-09-09T01:46:39.000Z lease 7 overflow: 5 events lost"
        );
        let error = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_ERROR,
            operation: 0,
            pid: 0,
            length: 8192,
            error: 28,
            ..raw()
        };
        assert_eq!(
            line(error, Some("f")).to_string(),
            "2001-09-09T01:46:39.000Z lease 7 error: 4K,8K not saved, ENOSPC, kill, f"
        );
        let json = serde_json::to_value(line(error, None)).unwrap();
        assert_eq!(json["error"], "ENOSPC");
        let acquired = uapi::pinlease_event {
            kind: uapi::PINLEASE_EVENT_ACQUIRED,
            operation: 0,
            pid: 0,
            length: 4096,
            ..raw()
        };
        assert_eq!(
            line(acquired, Some("f")).to_string(),
            "2001-09-09T01:46:39.000Z lease 7 acquired: 4K,4K, kill, f"
        );
    }

    #[test]
    fn json() {
        let json = serde_json::to_value(line(raw(), Some("/mnt/f"))).unwrap();
        assert_eq!(json["kind"], "break");
        assert_eq!(json["operation"], "truncate");
        assert_eq!(json["time_ns"], 9_000_000_000_u64);
        assert_eq!(json["deadline_ns"], 14_000_000_000_u64);
        assert_eq!(json["remaining_ms"], 4000);
        assert_eq!(json["comm"], "a\n");
        assert_eq!(json["breaker"], 3);
        assert!(json["lost"].is_null());
        assert!(json["error"].is_null());
        assert!(json.get("is_break").is_none());
    }
}
