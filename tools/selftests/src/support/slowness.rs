// SPDX-License-Identifier: GPL-2.0
//! How much longer everything may take here than elsewhere: kernels with checkers are slow.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static FACTOR: AtomicU32 = AtomicU32::new(1);

/// Sets the factor, for this process.
pub fn set(factor: u32) {
    FACTOR.store(factor, Ordering::Relaxed);
}

/// What to allow where `limit` is allowed elsewhere.
#[must_use]
pub fn allow(limit: Duration) -> Duration {
    limit * FACTOR.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies() {
        set(3);
        assert_eq!(allow(Duration::from_millis(5)), Duration::from_millis(15));
        set(1);
    }
}
