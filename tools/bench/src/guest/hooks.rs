// SPDX-License-Identifier: GPL-2.0
//! Installing and removing the hooks.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use anyhow::Result;
use pinlease::{Device, Lease, Policy};
use selftests::support::{
    modules::{self, unload_when_unused},
    new_file, page_size,
    proc::{hooked_functions, wait_for},
};

use super::{
    session::Session,
    turns::{plain, timed},
};
use crate::measured::Unit;

pub(super) const NAMES: &[&str] = &["hook_"];

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    let files = [
        file(session.dir(), "first")?,
        file(session.dir(), "second")?,
    ];
    let (mut installs, mut removes) = (Vec::new(), Vec::new());
    for round in 0..=session.rounds() {
        let (install, remove) = measure_once(session, &files)?;
        if round > 0 {
            installs.push(install / 1e3);
            removes.push(remove / 1e3);
        }
    }
    for name in ["first", "second"] {
        fs::remove_file(session.dir().join(name))?;
    }
    session.tell(plain(
        "hook_install",
        "what the first lease takes longer than the first lease of another file",
        Unit::Us,
        installs,
    ))?;
    session.tell(plain(
        "hook_remove",
        "what unloading the module takes longer when the hooks are installed",
        Unit::Us,
        removes,
    ))
}

fn file(dir: &Path, name: &str) -> Result<File> {
    let file = new_file(&dir.join(name))?;
    file.set_len(page_size() as u64)?;
    file.sync_all()?;
    Ok(file)
}

fn acquire(device: &Device, file: &File) -> Result<Lease> {
    Ok(device.lease(file).policy(Policy::Refuse).acquire()?)
}

/// Nanoseconds to install, and to remove.
fn measure_once(session: &Session<'_>, files: &[File; 2]) -> Result<(f64, f64)> {
    let [first, second] = files;
    unload_when_unused("pinlease")?;
    session.load("pinlease")?;
    let device = Device::open()?;
    let mut leases = Vec::new();
    let with_hooks = timed(|| {
        leases.push(acquire(&device, first)?);
        Ok(())
    })?;
    let without = timed(|| {
        leases.push(acquire(&device, second)?);
        Ok(())
    })?;
    drop(leases);
    drop(device);
    // Not yet: they stay for a while after the last lease.
    let removing = timed(|| Ok(modules::unload("pinlease")?))?;

    session.load("pinlease")?;
    let device = Device::open()?;
    drop(acquire(&device, first)?);
    drop(device);
    wait_for("the hooks are removed", Duration::from_secs(60), || {
        Ok(hooked_functions()?.is_empty())
    })?;
    let unloading = timed(|| Ok(modules::unload("pinlease")?))?;
    Ok((with_hooks - without, removing - unloading))
}
