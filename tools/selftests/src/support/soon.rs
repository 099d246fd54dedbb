// SPDX-License-Identifier: GPL-2.0
//! What must not hang.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use super::slowness;

/// "Within seconds", under emulation.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Runs `action` and asserts that it ends soon.
///
/// # Errors
///
/// It took too long.
pub fn soon<T>(what: &str, action: impl FnOnce() -> T) -> Result<T> {
    let begin = Instant::now();
    let result = action();
    let elapsed = begin.elapsed();
    println!("{what}: {elapsed:?}");
    ensure!(elapsed < slowness::allow(LIMIT), "{what} took {elapsed:?}");
    Ok(result)
}
