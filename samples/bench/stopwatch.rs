// SPDX-License-Identifier: GPL-2.0

//! How long something takes.

use crate::bindings;
use kernel::prelude::*;

/// Does `action` so often, and returns the nanoseconds that all of it took, by the clock that nobody
/// adjusts. Others may run in between. May sleep.
///
/// Errors: `EINVAL` not once or too often, `EINTR` a signal came, those of `action`.
pub(crate) fn repeat(times: u64, mut action: impl FnMut() -> Result) -> Result<u64> {
    if !(1..=u64::from(bindings::PINBENCH_MOST_REPEATS)).contains(&times) {
        return Err(EINVAL);
    }
    // SAFETY: The clock can be read at any time.
    let begin = unsafe { bindings::ktime_get_raw() };
    for _ in 0..times {
        if kernel::current!().signal_pending() {
            return Err(EINTR);
        }
        action()?;
    }
    // SAFETY: As above.
    let end = unsafe { bindings::ktime_get_raw() };
    Ok((end - begin) as u64)
}
