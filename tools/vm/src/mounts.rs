// SPDX-License-Identifier: GPL-2.0

//! The guest's mounts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::mount::{mount, umount2, MntFlags, MsFlags};

use crate::plan::{Mount, MODULES_TAG};

/// How long a disk may take to appear.
const DISK_PATIENCE: Duration = Duration::from_secs(20);

/// What every system has: type, place, options, and whether there is no guest without it.
const SYSTEM: &[(&str, &str, &str, bool)] = &[
    ("proc", "/proc", "", true),
    ("sysfs", "/sys", "", true),
    ("devtmpfs", "/dev", "", true),
    ("devpts", "/dev/pts", "", false),
    ("tmpfs", "/dev/shm", "mode=1777", false),
    ("tmpfs", "/run", "mode=755", true),
    ("tmpfs", "/tmp", "mode=1777", true),
    ("tmpfs", "/mnt", "mode=755", true),
    ("debugfs", "/sys/kernel/debug", "", false),
    ("tracefs", "/sys/kernel/tracing", "", false),
    ("securityfs", "/sys/kernel/security", "", false),
    ("cgroup2", "/sys/fs/cgroup", "", false),
];

/// Links in /dev that udev would make.
const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Mounts what every system has.
///
/// # Errors
///
/// When one is missing without which the guest is none.
pub fn mount_system() -> Result<()> {
    for &(kind, place, options, needed) in SYSTEM {
        // Some places exist already and cannot be made.
        let _ = fs::create_dir_all(place);
        let result = mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            Some(options),
        );
        if needed {
            result.with_context(|| format!("mounting {kind} at {place}"))?;
        }
    }
    for (target, link) in LINKS {
        symlink(target, link).with_context(|| format!("linking {link}"))?;
    }
    Ok(())
}

/// Mounts the modules of a kernel that is not the environment's.
///
/// # Errors
///
/// When they cannot be mounted.
pub fn mount_modules() -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let place = Path::new("/usr/lib/modules").join(release.trim());
    fs::create_dir_all(&place)?;
    mount(
        Some(MODULES_TAG),
        &place,
        Some("9p"),
        MsFlags::MS_RDONLY,
        Some("trans=virtio,version=9p2000.L,msize=512000,cache=loose"),
    )
    .context("mounting the modules")
}

/// Finds the device of a disk, links it by name and mounts what is on it.
///
/// # Errors
///
/// When it is not there or cannot be mounted.
pub fn attach(disk: &Mount) -> Result<PathBuf> {
    let device = find(&disk.name)?;
    let link = disk.link();
    fs::create_dir_all(Path::new(&link).parent().unwrap_or(Path::new("/")))?;
    symlink(&device, &link)?;
    if let Some(filesystem) = &disk.filesystem {
        let place = disk.mount_point();
        fs::create_dir_all(&place)?;
        let (flags, options) = split_options(&disk.options);
        mount(
            Some(&device),
            place.as_str(),
            Some(filesystem.as_str()),
            flags,
            Some(options.as_str()),
        )
        .with_context(|| {
            format!(
                "mounting {} at {place} with options {:?}",
                device.display(),
                disk.options
            )
        })?;
    }
    Ok(device)
}

/// mount(2) wants the options of the VFS as flags.
fn split_options(options: &str) -> (MsFlags, String) {
    let mut flags = MsFlags::empty();
    let mut rest = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        flags |= match option {
            "ro" => MsFlags::MS_RDONLY,
            "sync" => MsFlags::MS_SYNCHRONOUS,
            "dirsync" => MsFlags::MS_DIRSYNC,
            "noatime" => MsFlags::MS_NOATIME,
            "nodiratime" => MsFlags::MS_NODIRATIME,
            "relatime" => MsFlags::MS_RELATIME,
            "strictatime" => MsFlags::MS_STRICTATIME,
            "lazytime" => MsFlags::MS_LAZYTIME,
            "nosuid" => MsFlags::MS_NOSUID,
            "nodev" => MsFlags::MS_NODEV,
            "noexec" => MsFlags::MS_NOEXEC,
            "rw" | "defaults" => MsFlags::empty(),
            other => {
                rest.push(other);
                MsFlags::empty()
            }
        };
    }
    (flags, rest.join(","))
}

fn find(serial: &str) -> Result<PathBuf> {
    let patience = Instant::now() + DISK_PATIENCE;
    loop {
        for entry in fs::read_dir("/sys/block")? {
            let name = entry?.file_name();
            let directory = Path::new("/sys/block").join(&name);
            // virtio-blk's is the disk's, NVMe's is the controller's.
            let found = fs::read_to_string(directory.join("serial"))
                .or_else(|_| fs::read_to_string(directory.join("device/serial")));
            if found.is_ok_and(|found| found.trim() == serial) {
                return Ok(Path::new("/dev").join(name));
            }
        }
        anyhow::ensure!(
            Instant::now() < patience,
            "the disk {serial} did not appear"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Unmounts everything below `/mnt`, the last first.
///
/// # Errors
///
/// When something is still in use.
pub fn detach_all() -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    for place in mounts
        .lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|place| place.starts_with("/mnt/"))
    {
        umount2(place, MntFlags::empty()).with_context(|| format!("unmounting {place}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vfs_options_become_flags() {
        assert_eq!(split_options(""), (MsFlags::empty(), String::new()));
        assert_eq!(
            split_options("noatime,data=writeback,ro,discard"),
            (
                MsFlags::MS_NOATIME | MsFlags::MS_RDONLY,
                "data=writeback,discard".to_owned()
            )
        );
    }
}
