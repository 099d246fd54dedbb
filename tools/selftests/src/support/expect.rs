// SPDX-License-Identifier: GPL-2.0
//! Assertions about errnos.

use std::fmt::Debug;

use anyhow::{bail, ensure, Result};
use nix::errno::Errno;

/// Asserts that `result` is `expected`; `what` names the attempt.
///
/// # Errors
///
/// It is not.
pub fn errno<T: Debug>(what: &str, result: nix::Result<T>, expected: Errno) -> Result<()> {
    one_of(what, result, &[expected])
}

/// Asserts that `result` is one of `expected`.
///
/// # Errors
///
/// It is not.
pub fn one_of<T: Debug>(what: &str, result: nix::Result<T>, expected: &[Errno]) -> Result<()> {
    match result {
        Err(errno) => ensure!(
            expected.contains(&errno),
            "{what}: {errno:?}, expected {expected:?}"
        ),
        Ok(value) => bail!("{what}: succeeded with {value:?}, expected {expected:?}"),
    }
    Ok(())
}

/// Asserts that `result` is a success.
///
/// # Errors
///
/// It is not.
pub fn success<T>(what: &str, result: nix::Result<T>) -> Result<T> {
    result.map_err(|errno| anyhow::anyhow!("{what}: {errno:?}, expected success"))
}

/// The errno of an I/O result, for the functions above.
///
/// # Errors
///
/// The errno.
pub fn from_io<T>(result: std::io::Result<T>) -> nix::Result<T> {
    result.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
}
