// SPDX-License-Identifier: GPL-2.0

//! How long breakers wait.

/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// More than the administrator allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

/// The grace of a new lease, in milliseconds. `asked`: by its holder, 0: nothing; `usual_seconds`:
/// the sysctl `fs.lease-break-time`, with 0 for no end, as in the kernel's lease core; `maximum`:
/// the administrator's, in milliseconds, which does not bind the `privileged`.
pub fn grace(
    asked: u32,
    usual_seconds: u32,
    maximum: u32,
    privileged: bool,
) -> Result<u32, TooLong> {
    match asked {
        0 if usual_seconds == 0 => Ok(maximum),
        0 => Ok(usual_seconds.saturating_mul(1000).min(maximum)),
        asked if asked > maximum && !privileged => Err(TooLong),
        asked => Ok(asked),
    }
}

/// Until when a breaker waits at most; `None`: as long as it takes. Then it gets EBUSY.
///
/// `began`: when it began to wait. `deadline`: when the longest grace is over of its own breaks, of
/// the leases that it still waits for, acted or not; `None` when one of them is to block. That is
/// not what `LeaseState::deadline` says, which an earlier breaker may have set. `bound`: nobody may
/// make this breaker wait for an answer longer than the administrator's `maximum`, in milliseconds.
/// After a policy acted the pins may need that long to go.
pub fn patience(began: u64, deadline: Option<u64>, bound: bool, maximum: u32) -> Option<u64> {
    let maximum = u64::from(maximum) * MILLISECOND;
    match deadline {
        Some(deadline) => Some(deadline.max(began).saturating_add(maximum)),
        None if bound => Some(began.saturating_add(maximum)),
        None => None,
    }
}
