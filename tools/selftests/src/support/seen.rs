// SPDX-License-Identifier: GPL-2.0
//! Events as one process tells another of them.

use std::time::Duration;

use pinlease::{Event, EventKind};
use serde::{Deserialize, Serialize};

/// An event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Seen {
    /// What happened.
    pub kind: Kind,
    /// The lease.
    pub lease: u64,
    /// The breaker.
    pub breaker: u64,
    /// What the breaker does.
    pub operation: Option<String>,
    /// Its process.
    pub pid: Option<i32>,
    /// First byte of its range, and …
    pub offset: u64,
    /// … bytes of it.
    pub length: u64,
    /// When.
    pub time: Duration,
}

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Kind {
    /// A breaker waits.
    Break {
        /// Until then.
        deadline: Option<Duration>,
    },
    /// It is done, or gave up.
    Over,
    /// The policy acted.
    Withdrawn,
    /// A breaker was refused.
    Refused,
    /// Events were lost.
    Overflow {
        /// So many.
        lost: u64,
    },
    /// Something could not be saved.
    Error {
        /// Why.
        errno: i32,
    },
    /// A lease began.
    Acquired,
    /// It ended.
    Released,
    /// Unknown.
    Other(u32),
}

impl Kind {
    /// Without what is different each time.
    pub fn word(self) -> &'static str {
        match self {
            Self::Break { .. } => "break",
            Self::Over => "over",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
            Self::Overflow { .. } => "overflow",
            Self::Error { .. } => "error",
            Self::Acquired => "acquired",
            Self::Released => "released",
            Self::Other(_) => "unknown",
        }
    }
}

impl Seen {
    /// The deadline, if it is a break that has one.
    pub fn deadline(&self) -> Option<Duration> {
        match self.kind {
            Kind::Break { deadline } => deadline,
            _ => None,
        }
    }

    /// Whether it is a break.
    pub fn is_break(&self) -> bool {
        matches!(self.kind, Kind::Break { .. })
    }
}

impl From<Event> for Seen {
    fn from(event: Event) -> Self {
        Self {
            kind: match event.kind {
                EventKind::Break { deadline } => Kind::Break { deadline },
                EventKind::Over => Kind::Over,
                EventKind::Withdrawn => Kind::Withdrawn,
                EventKind::Refused => Kind::Refused,
                EventKind::Overflow { lost } => Kind::Overflow { lost },
                EventKind::Error { errno } => Kind::Error {
                    errno: errno as i32,
                },
                EventKind::Acquired => Kind::Acquired,
                EventKind::Released => Kind::Released,
                EventKind::Other(raw) => Kind::Other(raw),
                _ => Kind::Other(u32::MAX),
            },
            lease: event.lease,
            breaker: event.breaker,
            operation: event.operation.map(|operation| operation.to_string()),
            pid: event.pid,
            offset: event.offset,
            length: event.length,
            time: event.time,
        }
    }
}
