// SPDX-License-Identifier: GPL-2.0
//! Sysctls that are put back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A changed sysctl; dropping it puts the old value back.
#[derive(Debug)]
#[must_use = "dropping it puts the old value back"]
pub struct Sysctl {
    path: PathBuf,
    old: String,
}

impl Sysctl {
    /// Sets `name`, such as `vm.dirty_expire_centisecs`.
    ///
    /// # Errors
    ///
    /// There is no such sysctl, or it refuses the value.
    pub fn set(name: &str, value: impl ToString) -> Result<Self> {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let old = fs::read_to_string(&path).with_context(|| format!("reading sysctl {name}"))?;
        fs::write(&path, value.to_string()).with_context(|| format!("setting sysctl {name}"))?;
        Ok(Self { path, old })
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.old);
    }
}

/// Empties the page cache of what is clean.
///
/// # Errors
///
/// /proc/sys/vm/drop_caches cannot be written.
pub fn drop_caches() -> Result<()> {
    fs::write("/proc/sys/vm/drop_caches", "3").context("dropping caches")
}

/// The flusher writes pages that are dirty for a second; both are put back
/// when the guards are dropped.
///
/// # Errors
///
/// The sysctls cannot be set.
pub fn hasty_flusher() -> Result<[Sysctl; 2]> {
    Ok([
        Sysctl::set("vm.dirty_expire_centisecs", 100)?,
        Sysctl::set("vm.dirty_writeback_centisecs", 50)?,
    ])
}

/// The flusher and the tick do nothing by themselves, so that what is written is
/// what somebody asked for; both are put back when the guards are dropped.
///
/// # Errors
///
/// The sysctls cannot be set.
pub fn idle_flusher() -> Result<[Sysctl; 2]> {
    Ok([
        Sysctl::set("vm.dirty_expire_centisecs", 360_000)?,
        Sysctl::set("vm.dirty_writeback_centisecs", 0)?,
    ])
}
