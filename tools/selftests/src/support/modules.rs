// SPDX-License-Identifier: GPL-2.0
//! Loading and unloading of the modules.

use std::{
    ffi::CStr,
    fs::{self, File},
    ops::Range,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags},
};

use super::proc::wait_for;
use crate::harness::Side;

/// Whether a module is loaded.
pub fn is_loaded(name: &str) -> bool {
    Path::new("/sys/module").join(name).exists()
}

/// Loads `folder/name.ko`.
///
/// # Errors
///
/// The file is missing, or the kernel refuses it: then the error can be
/// downcast to its [`Errno`].
pub fn load(folder: &Path, name: &str) -> Result<()> {
    load_with(folder, name, c"")
}

/// Loads `folder/name.ko` with these parameters.
///
/// # Errors
///
/// As [`load`].
pub fn load_with(folder: &Path, name: &str, parameters: &CStr) -> Result<()> {
    let path = folder.join(name).with_extension("ko");
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    finit_module(&file, parameters, ModuleInitFlags::empty())
        .with_context(|| path.display().to_string())
}

/// Unloads a module, without waiting for it to become unused.
///
/// # Errors
///
/// delete_module(2)'s errno.
pub fn unload(name: &str) -> nix::Result<()> {
    let name = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    delete_module(&name, DeleteModuleFlags::O_NONBLOCK)
}

/// Unloads pinlease and what uses it, as soon as the last users are gone.
///
/// # Errors
///
/// They stay in use.
pub fn unload_all() -> Result<()> {
    ["edu", "dmasim", "pinlease"]
        .into_iter()
        .try_for_each(unload_when_unused)
}

/// Unloads a module, if it is loaded, as soon as its last user is gone.
///
/// # Errors
///
/// It stays in use.
pub fn unload_when_unused(name: &str) -> Result<()> {
    if !is_loaded(name) {
        return Ok(());
    }
    let unloaded = || match unload(name) {
        Ok(()) => Ok(true),
        Err(Errno::EAGAIN | Errno::EBUSY) => Ok(false),
        Err(other) => Err(other.into()),
    };
    wait_for(
        &format!("{name} is unloaded"),
        Duration::from_secs(30),
        unloaded,
    )
    .map(drop)
}

/// Modules with parameters of their own; dropping it unloads them, so that the
/// next test loads them as usual.
#[derive(Debug)]
#[must_use = "dropping it unloads the modules"]
pub struct Parameterised(());

impl Parameterised {
    /// Loads pinlease with these parameters, and dmasim.
    ///
    /// # Errors
    ///
    /// A module is in use, or cannot be loaded.
    pub fn load(folder: &Path, parameters: &CStr) -> Result<Self> {
        unload_all()?;
        let loaded = Self(());
        load_with(folder, "pinlease", parameters)?;
        load(folder, "dmasim")?;
        Ok(loaded)
    }
}

impl Drop for Parameterised {
    fn drop(&mut self) {
        if let Err(error) = unload_all() {
            eprintln!("the modules stay loaded with their parameters: {error:#}");
        }
    }
}

/// Loads pinlease, unless it is loaded.
///
/// # Errors
///
/// It cannot be loaded.
pub fn ensure_pinlease(folder: &Path) -> Result<()> {
    if is_loaded("pinlease") {
        return Ok(());
    }
    load(folder, "pinlease")
}

/// Loads what a side needs: dmasim, and pinlease when the side or dmasim needs
/// it.
///
/// # Errors
///
/// A module cannot be loaded.
pub fn ensure(folder: &Path, side: Side) -> Result<()> {
    if side != Side::Stock {
        ensure_pinlease(folder)?;
    }
    if is_loaded("dmasim") {
        return Ok(());
    }
    match load(folder, "dmasim") {
        // Unknown symbols: dmasim is linked against pinlease.
        Err(error) if error.downcast_ref() == Some(&Errno::ENOENT) && !is_loaded("pinlease") => {
            load(folder, "pinlease").context("needed by dmasim")?;
            load(folder, "dmasim")
        }
        other => other,
    }
}

/// Where a module's code is, but for that of its beginning and end.
///
/// # Errors
///
/// It is not loaded.
pub fn text_of(name: &str) -> Result<Range<u64>> {
    let path = format!("/sys/module/{name}/sections/.text");
    let section = fs::read_to_string(&path).context(path)?;
    let start = u64::from_str_radix(section.trim().trim_start_matches("0x"), 16)?;
    let modules = fs::read_to_string("/proc/modules")?;
    let mut lines = modules.lines().map(|line| line.split(' '));
    let size = lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next())?);
    let size: u64 = size.context("/proc/modules")?.parse()?;
    Ok(start..start + size)
}
