// SPDX-License-Identifier: GPL-2.0
//! Loading and unloading of the two modules.

use std::{ffi::CStr, fs::File, path::Path};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags},
};

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

/// Loads what a side needs: dmasim, and pinlease when the side or dmasim needs
/// it.
///
/// # Errors
///
/// A module cannot be loaded.
pub fn ensure(folder: &Path, side: Side) -> Result<()> {
    if side == Side::Pinlease && !is_loaded("pinlease") {
        load(folder, "pinlease")?;
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
