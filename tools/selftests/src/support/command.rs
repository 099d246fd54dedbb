// SPDX-License-Identifier: GPL-2.0
//! Programs of the guest.

use std::{ffi::OsStr, process::Command};

use anyhow::{ensure, Context, Result};

use crate::harness::Skip;

/// Runs a program and returns what it prints; a test that needs a program
/// which is not installed is skipped.
///
/// # Errors
///
/// It fails, or is missing ([`Skip`]).
pub fn output<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    let result = Command::new(program).args(arguments).output();
    if let Err(error) = &result {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Err(Skip(format!("needs the program {program}")).into());
        }
    }
    let result = result.with_context(|| format!("starting {program}"))?;
    ensure!(
        result.status.success(),
        "{program}: {}: {}",
        result.status,
        String::from_utf8_lossy(&result.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}
