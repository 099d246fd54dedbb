// SPDX-License-Identifier: GPL-2.0
//! What a lease tells about itself.

use std::time::Duration;

use pinlease_uapi as uapi;

use crate::{time::deadline, Policy, State};

/// What [`Lease::query`](crate::Lease::query) tells; the counters of the file are since its first
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
    /// Names the lease in events and lists; 0: the module is too old to tell.
    pub id: u64,
    /// [`State::Breaking`]: when the policy acts, `CLOCK_MONOTONIC`; `None`:
    /// never.
    pub deadline: Option<Duration>,
    /// Whether others may pin under it, see
    /// [`LeaseBuilder::grant`](crate::LeaseBuilder::grant).
    pub grant: bool,
    /// With `grant`: bytes of the range in pages that anybody pins, the lease's
    /// own pins among them; else 0.
    pub granted_bytes: u64,
    /// dma-bufs that have its pages.
    pub exports: u32,
}

impl From<uapi::pinlease_query> for Query {
    fn from(raw: uapi::pinlease_query) -> Self {
        Self {
            policy: Policy::from_raw(raw.policy),
            state: State::from_raw(raw.state),
            grace: Duration::from_millis(raw.grace_ms.into()),
            offset: raw.offset,
            length: raw.length,
            pins: raw.pins,
            pinned_bytes: raw.pinned_bytes,
            snapshots: raw.snapshots,
            rearmed: raw.rearmed,
            errors: raw.errors,
            // Both stay 0 when the module knows only the first version,
            id: raw.id,
            deadline: deadline(raw.deadline_ns),
            // and these when it knows only the second.
            grant: raw.flags & uapi::PINLEASE_ACQUIRE_GRANT != 0,
            granted_bytes: raw.granted_bytes,
            exports: raw.exports,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_has_neither_id_nor_deadline() {
        let query = Query::from(uapi::pinlease_query {
            size: 72,
            policy: uapi::PINLEASE_POLICY_REFUSE,
            length: 4096,
            ..Default::default()
        });
        assert_eq!((query.id, query.deadline), (0, None));
        assert_eq!(query.state, State::Held);
    }

    #[test]
    fn grants_came_with_the_third_version() {
        let second = uapi::pinlease_query {
            size: 88,
            id: 4,
            ..Default::default()
        };
        let query = Query::from(second);
        assert_eq!((query.grant, query.granted_bytes), (false, 0));
        let query = Query::from(uapi::pinlease_query {
            size: 104,
            flags: uapi::PINLEASE_ACQUIRE_GRANT,
            granted_bytes: 8192,
            ..second
        });
        assert_eq!((query.grant, query.granted_bytes), (true, 8192));
        // Flags that are not known yet are no grant.
        let query = Query::from(uapi::pinlease_query {
            flags: !uapi::PINLEASE_ACQUIRE_GRANT,
            ..second
        });
        assert!(!query.grant);
    }

    #[test]
    fn states() {
        for (raw, state, word) in [
            (0, State::Held, "held"),
            (1, State::Breaking, "breaking"),
            (2, State::Withdrawn, "withdrawn"),
            (3, State::Draining, "draining"),
            (9, State::Other(9), "state-9"),
        ] {
            assert_eq!(State::from_raw(raw), state);
            assert_eq!(state.to_string(), word);
        }
    }
}
