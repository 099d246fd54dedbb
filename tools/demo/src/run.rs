// SPDX-License-Identifier: GPL-2.0
//! What was run, as the guests and the host tell.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use selftests::{
    harness::Context,
    support::{source_of, Filesystem},
};
use serde::{Deserialize, Serialize};

/// What a guest says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Booted {
    /// The filesystem.
    pub fs: Filesystem,
    /// As uname(1) says it.
    pub release: String,
    /// The same, with who built it.
    pub version: String,
    /// How the filesystem is mounted.
    pub options: String,
    /// The module's version.
    pub module: String,
    /// Pages that the device writes.
    pub pages: u64,
    /// Rounds of scenario 2.
    pub rounds: u64,
}

impl Booted {
    /// Asks the kernel that runs.
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn here(context: &Context, fs: Filesystem) -> Result<Self> {
        let kernel = |name: &str| {
            let path = Path::new("/proc/sys/kernel").join(name);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            anyhow::Ok(text.trim().to_owned())
        };
        Ok(Self {
            fs,
            release: kernel("osrelease")?,
            version: kernel("version")?,
            options: mount_options(&context.dir)?,
            module: module_version(&context.modules.join("pinlease.ko"))?,
            pages: context.pages,
            rounds: context.rounds,
        })
    }
}

/// Of the mount that `path` is on, and of its filesystem.
fn mount_options(path: &Path) -> Result<String> {
    let source = source_of(&fs::canonicalize(path)?)?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let options = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let is_it = words.next() == source.to_str();
        is_it.then(|| words.nth(2)).flatten()
    });
    Ok(options.context("no such mount")?.to_owned())
}

/// What modinfo(8) would print.
fn module_version(path: &Path) -> Result<String> {
    let module = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(tag(&module, "version").unwrap_or_else(|| "none".into()))
}

/// A value of a module's section `.modinfo`, whose strings end with zeros.
fn tag(module: &[u8], name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    module.split(|&byte| byte == 0).find_map(|text| {
        let value = text.strip_prefix(prefix.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// What the host says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Host {
    /// The tree's commit, if the tree is a work tree of git.
    pub commit: Option<String>,
    /// When the demo began, in seconds since 1970.
    pub began: u64,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// Arguments, as they were given.
    pub command: Vec<String>,
}

/// The commit that the current folder is at; marked when files differ from it.
pub fn commit() -> Option<String> {
    let arguments = ["describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_module() {
        let module = b"\x7fELF\0license=GPL\0version=1.2\0srcversion=abc\0";
        assert_eq!(tag(module, "version").as_deref(), Some("1.2"));
        assert_eq!(tag(module, "author"), None);
    }
}
