// SPDX-License-Identifier: GPL-2.0
//! Where a lease is in its life.

use std::fmt;

use pinlease_uapi as uapi;

/// Where a lease is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Nobody is breaking it.
    Held,
    /// A breaker waits.
    Breaking,
    /// The policy acted.
    Withdrawn,
    /// Closed, but something is still pinned.
    Draining,
    /// A state that this library does not know.
    Other(u32),
}

impl State {
    pub(crate) const fn from_raw(raw: u32) -> Self {
        match raw {
            uapi::PINLEASE_STATE_HELD => Self::Held,
            uapi::PINLEASE_STATE_BREAKING => Self::Breaking,
            uapi::PINLEASE_STATE_WITHDRAWN => Self::Withdrawn,
            uapi::PINLEASE_STATE_DRAINING => Self::Draining,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Breaking => "breaking",
            Self::Withdrawn => "withdrawn",
            Self::Draining => "draining",
            Self::Other(raw) => return write!(f, "state-{raw}"),
        })
    }
}
