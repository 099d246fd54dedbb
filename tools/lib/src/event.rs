// SPDX-License-Identifier: GPL-2.0
//! What happens to leases.

mod read;
mod record;

use std::{fmt, time::Duration};

use nix::errno::Errno;

pub(crate) use read::{read_event, read_events};
pub(crate) use record::{name, process};

use crate::{Operation, Policy};

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A breaker waits: answer until the deadline.
    Break {
        /// When the policy will act, `CLOCK_MONOTONIC`; `None`: never.
        deadline: Option<Duration>,
    },
    /// The breaker is done, or gave up; the lease is as before.
    Over,
    /// The policy acted; the lease is good for nothing more.
    Withdrawn,
    /// A breaker was refused.
    Refused,
    /// Events before this one were lost.
    Overflow {
        /// How many.
        lost: u64,
    },
    /// What a device wrote could not be saved; the pin stays, and it is tried
    /// again.
    Error {
        /// Why: `ENOSPC`, `EDQUOT`, `EIO` or `ENOMEM`.
        errno: Errno,
    },
    /// A lease was acquired; only on a watch.
    Acquired,
    /// A lease ended, nothing is pinned any more; only on a watch.
    Released,
    /// A kind that this library does not know.
    Other(u32),
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Break { .. } => "break",
            Self::Over => "over",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
            Self::Overflow { .. } => "overflow",
            Self::Error { .. } => "error",
            Self::Acquired => "acquired",
            Self::Released => "released",
            Self::Other(raw) => return write!(f, "event-{raw}"),
        })
    }
}

/// An event of a lease.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The lease's id, [`Query::id`](crate::Query::id).
    pub lease: u64,
    /// Names the breaker: the same in all events of one break; 0: none.
    pub breaker: u64,
    /// What the breaker does.
    pub operation: Option<Operation>,
    /// The breaker's process, if it can be seen from here and is one.
    pub pid: Option<i32>,
    /// Its name; empty without `pid`.
    pub comm: String,
    /// First byte of the breaker's range; of the lease's for
    /// [`EventKind::Acquired`] and [`EventKind::Released`]; for
    /// [`EventKind::Error`] of what could not be saved.
    pub offset: u64,
    /// Bytes of it.
    pub length: u64,
    /// When it happened, `CLOCK_MONOTONIC`.
    pub time: Duration,
    /// The lease's policy; `None`: one that this library does not know.
    pub policy: Option<Policy>,
}
