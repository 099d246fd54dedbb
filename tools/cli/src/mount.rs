// SPDX-License-Identifier: GPL-2.0
//! The mount that an open file is on.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd},
};

/// What /proc/self/mountinfo tells of a mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mount {
    /// The number of the superblock's device; stat(2) may tell another one.
    pub device: u64,
    /// The filesystem's type.
    pub filesystem: String,
}

impl Mount {
    /// The mount that `file` is on; `None`: it is not visible from here.
    pub fn of(file: &File) -> io::Result<Option<Self>> {
        let fdinfo = format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd());
        let fdinfo = fs::read_to_string(fdinfo)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(mount_id(&fdinfo).and_then(|id| Self::find(&mounts, id)))
    }

    /// Lines look like `29 1 0:25 / /mnt rw shared:1 - ext4 /dev/vda rw`, with any
    /// number of words before the dash.
    fn find(mountinfo: &str, id: u64) -> Option<Self> {
        mountinfo.lines().find_map(|line| {
            let mut words = line.split(' ');
            if words.next()?.parse() != Ok(id) {
                return None;
            }
            let (major, minor) = words.nth(1)?.split_once(':')?;
            let mut words = words.skip_while(|&word| word != "-");
            Some(Self {
                device: nix::sys::stat::makedev(major.parse().ok()?, minor.parse().ok()?),
                filesystem: words.nth(1)?.into(),
            })
        })
    }
}

/// A line looks like `mnt_id: 29`, with a tab.
fn mount_id(fdinfo: &str) -> Option<u64> {
    let line = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(mount_id("pos:\t0\nflags:\t010\nmnt_id:\t29\n"), Some(29));
        assert_eq!(mount_id("pos:\t0\n"), None);
    }

    #[test]
    fn lines() {
        let text = "28 1 254:1 / / rw shared:1 master:2 - ext4 /dev/vda1 rw\n\
                    29 28 0:25 /sub /mnt rw - btrfs /dev/vdb rw,subvol=/sub\n";
        let mount = |id| Mount::find(text, id);
        let expected = Mount {
            device: nix::sys::stat::makedev(0, 25),
            filesystem: "btrfs".into(),
        };
        assert_eq!(mount(29), Some(expected));
        assert_eq!(mount(28).unwrap().filesystem, "ext4");
        assert_eq!(mount(2), None);
    }

    #[test]
    fn a_real_one() {
        let file = File::open("/proc/self/status").unwrap();
        let mount = Mount::of(&file).unwrap();
        assert!(mount.is_none_or(|mount| mount.filesystem == "proc"));
    }
}
