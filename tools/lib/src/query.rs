// SPDX-License-Identifier: GPL-2.0
//! What a lease tells about itself.

use std::time::Duration;

use pinlease_uapi as uapi;

use crate::Policy;

/// Where a lease is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Nobody is breaking it.
    Held,
    /// A state that this library does not know.
    Other(u32),
}

/// What [`Lease::query`] tells; the counters of the file are since its first
/// lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// The policy; `None`: one that this library does not know.
    pub policy: Option<Policy>,
    /// Where the lease is in its life.
    pub state: State,
    /// How long a breaker waits.
    pub grace: Duration,
    /// First byte of the range.
    pub offset: u64,
    /// Bytes of the range.
    pub length: u64,
    /// Pins held.
    pub pins: u64,
    /// Bytes in them.
    pub pinned_bytes: u64,
    /// Pages of the file written from a snapshot.
    pub snapshots: u64,
    /// Folios of the file re-armed.
    pub rearmed: u64,
    /// Re-arms and snapshots of the file that failed.
    pub errors: u64,
}

impl From<uapi::pinlease_query> for Query {
    fn from(raw: uapi::pinlease_query) -> Self {
        Self {
            policy: Policy::from_raw(raw.policy),
            state: match raw.state {
                uapi::PINLEASE_STATE_HELD => State::Held,
                other => State::Other(other),
            },
            grace: Duration::from_millis(raw.grace_ms.into()),
            offset: raw.offset,
            length: raw.length,
            pins: raw.pins,
            pinned_bytes: raw.pinned_bytes,
            snapshots: raw.snapshots,
            rearmed: raw.rearmed,
            errors: raw.errors,
        }
    }
}
