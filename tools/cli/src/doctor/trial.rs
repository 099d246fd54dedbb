// SPDX-License-Identifier: GPL-2.0
//! A lease on a file that nobody else sees.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use pinlease::{Device, Policy};

use super::Check;
use crate::units::printable;

const NAME: &str = "trial";

/// Takes it, and gives it back.
pub fn check(device: &Device, folder: &Path) -> Check {
    let shown = printable(&folder.to_string_lossy());
    let file = match unnamed(folder) {
        Ok(file) => file,
        Err(error) => {
            return Check::failed(
                NAME,
                format!("no file can be made in {shown}: {error}"),
                "give a folder on ext4, XFS or btrfs that this user may write",
            );
        }
    };
    match device.lease(&file).policy(Policy::Refuse).acquire() {
        Ok(_lease) => Check::ok(NAME, format!("a lease was had on a file in {shown}")),
        Err(error) => Check::failed(NAME, format!("in {shown}: {error}"), "see 'dmesg'"),
    }
}

/// A file of one page without a name.
fn unnamed(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_TMPFILE)
        .open(folder)?;
    file.set_len(4096)?;
    Ok(file)
}
