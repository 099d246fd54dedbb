// SPDX-License-Identifier: GPL-2.0
//! Subvolumes and snapshots of btrfs.

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};

/// `struct btrfs_ioctl_vol_args` of linux/btrfs.h.
#[repr(C)]
pub struct VolumeArguments {
    fd: i64,
    name: [u8; 4088],
}

/// `struct btrfs_ioctl_vol_args_v2` of linux/btrfs.h.
#[repr(C)]
pub struct VolumeArguments2 {
    fd: i64,
    transid: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

/// `BTRFS_SUBVOL_RDONLY`.
const READ_ONLY: u64 = 1 << 1;

/// Commands of linux/btrfs.h.
mod command {
    nix::ioctl_write_ptr!(create, 0x94, 14, super::VolumeArguments);
    nix::ioctl_write_ptr!(destroy, 0x94, 15, super::VolumeArguments);
    nix::ioctl_write_ptr!(snapshot, 0x94, 23, super::VolumeArguments2);
}

fn named<const N: usize>(name: &str) -> Result<[u8; N]> {
    ensure!(name.len() < N, "the name is too long");
    let mut bytes = [0; N];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Ok(bytes)
}

/// Makes a new subvolume `parent/name`.
///
/// # Errors
///
/// The ioctl's errno.
pub fn create(parent: &Path, name: &str) -> Result<PathBuf> {
    let arguments = VolumeArguments {
        fd: 0,
        name: named(name)?,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    unsafe { command::create(File::open(parent)?.as_raw_fd(), &arguments) }
        .context("BTRFS_IOC_SUBVOL_CREATE")?;
    Ok(parent.join(name))
}

/// Makes a snapshot `parent/name` of `subvolume` that nobody can write.
///
/// # Errors
///
/// The ioctl's errno.
pub fn snapshot(subvolume: &Path, parent: &Path, name: &str) -> Result<PathBuf> {
    let subvolume = File::open(subvolume)?;
    let arguments = VolumeArguments2 {
        fd: subvolume.as_raw_fd().into(),
        transid: 0,
        flags: READ_ONLY,
        unused: [0; 4],
        name: named(name)?,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    unsafe { command::snapshot(File::open(parent)?.as_raw_fd(), &arguments) }
        .context("BTRFS_IOC_SNAP_CREATE_V2")?;
    Ok(parent.join(name))
}

/// Deletes the subvolume or snapshot `parent/name`.
///
/// # Errors
///
/// The ioctl's errno.
pub fn delete(parent: &Path, name: &str) -> Result<()> {
    let arguments = VolumeArguments {
        fd: 0,
        name: named(name)?,
    };
    // SAFETY: the command reads one structure, which lives during the call.
    unsafe { command::destroy(File::open(parent)?.as_raw_fd(), &arguments) }
        .context("BTRFS_IOC_SNAP_DESTROY")?;
    Ok(())
}
