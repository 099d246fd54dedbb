// SPDX-License-Identifier: GPL-2.0
//! Running other programs.

use std::{
    ffi::OsStr,
    process::{Command, Output},
};

use anyhow::{ensure, Context, Result};

/// Runs a program that must succeed; gives what it said.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    let (success, said) = try_run(program, arguments)?;
    ensure!(success, "{program} failed: {said}");
    Ok(said)
}

/// Runs a program; tells whether it succeeded, and what it said.
pub fn try_run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<(bool, String)> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .output()
        .with_context(|| program.to_owned())?;
    let said = [stdout, stderr].concat();
    Ok((
        status.success(),
        String::from_utf8_lossy(&said).trim().to_owned(),
    ))
}
