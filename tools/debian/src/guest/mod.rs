// SPDX-License-Identifier: GPL-2.0
//! What is done in the guest: installed in the first boot, looked at and removed in the second.

mod files;
mod look;
mod program;

use std::{fs, path::Path};

use anyhow::{ensure, Context, Result};

use crate::outcome::{note, LAST};

/// Does what is to be done in this boot; gives the command of systemctl that follows.
///
/// # Errors
///
/// Nothing can be written to `share`.
pub fn boot(share: &Path) -> Result<&'static str> {
    if !share.join("before").exists() {
        fs::write(share.join("before"), files::list()?)?;
        fs::copy("/etc/group", share.join("group-before"))?;
        note(share, "installed", || install(share))?;
        return Ok("reboot");
    }
    for (name, check) in look::CHECKS {
        note(share, name, check)?;
    }
    note(share, LAST, || remove(share))?;
    Ok("poweroff")
}

/// `apt install ./*.deb`, as an administrator does it.
fn install(share: &Path) -> Result<String> {
    let metadata = share.join("metadata.tar");
    if metadata.exists() {
        program::run("tar", &["-C", "/", "-xf", &metadata.to_string_lossy()])?;
    }
    let mut arguments = vec!["install".to_owned(), "-y".to_owned()];
    for entry in fs::read_dir(share)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            arguments.push(path.display().to_string());
        }
    }
    let said = program::run("apt-get", &arguments)?;
    fs::write(share.join("apt"), &said)?;
    // It is loaded without a boot, too.
    ensure!(
        Path::new("/sys/module/pinlease").exists(),
        "the module is not loaded: {said}"
    );
    Ok(format!("{} packages", arguments.len() - 2))
}

/// `apt purge`, after which all is as before.
fn remove(share: &Path) -> Result<String> {
    program::run("apt-get", &["purge", "-y", "pinlease", "pinlease-dkms"])?;
    ensure!(
        !Path::new("/sys/module/pinlease").exists(),
        "the module is still loaded"
    );
    let before = fs::read_to_string(share.join("before"))?;
    let after = files::list()?;
    fs::write(share.join("after"), &after)?;
    files::compare(&before, &after).context("files")?;
    // Numbers of groups are not given back: files may have them.
    let groups = fs::read_to_string("/etc/group")?;
    files::only_group(
        &fs::read_to_string(share.join("group-before"))?,
        &groups,
        "pinlease",
    )?;
    Ok(format!(
        "{} files and folders as before, one group more",
        after.lines().count()
    ))
}
