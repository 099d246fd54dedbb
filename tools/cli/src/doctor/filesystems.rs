// SPDX-License-Identifier: GPL-2.0
//! Which mounted filesystems have files that can be leased (Documentation/limits.rst).

use std::{collections::BTreeSet, fs};

use nix::sys::statvfs::statvfs;

use super::Check;
use crate::units::printable;

const PAGE: u64 = 4096;

/// One mount.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Mounted {
    path: String,
    /// `major:minor`.
    device: String,
    filesystem: String,
    /// Of the superblock and of the mount.
    options: BTreeSet<String>,
}

/// Looks at what is mounted, and at swap files.
pub fn checks() -> Vec<Check> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut checks: Vec<Check> = Vec::new();
    let mut seen = BTreeSet::new();
    for mounted in mountinfo.lines().filter_map(parse) {
        if stores_files(&mounted) && seen.insert(mounted.device.clone()) {
            let block = statvfs(mounted.path.as_str()).map_or(0, |stat| stat.block_size());
            let zoned =
                fs::read_to_string(format!("/sys/dev/block/{}/queue/zoned", mounted.device));
            let zoned = zoned.is_ok_and(|zoned| zoned.trim() != "none");
            checks.push(one(&mounted, block, zoned));
        }
    }
    if !checks.iter().any(|check| check.advice.is_none()) {
        checks.push(Check::failed(
            NAME,
            "no file of any mounted filesystem can be leased",
            "mount ext4, XFS or btrfs",
        ));
    }
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    checks.extend(swap_files(&swaps));
    checks
}

const NAME: &str = "filesystem";

/// Lines look like `29 1 254:1 / /mnt rw shared:1 - ext4 /dev/vda rw,data=journal`.
fn parse(line: &str) -> Option<Mounted> {
    let (mount, super_block) = line.split_once(" - ")?;
    let mount: Vec<&str> = mount.split(' ').collect();
    let super_block: Vec<&str> = super_block.split(' ').collect();
    let options = mount
        .get(5)?
        .split(',')
        .chain(super_block.get(2)?.split(','));
    Some(Mounted {
        path: mount.get(4)?.replace("\\040", " "),
        device: (*mount.get(2)?).into(),
        filesystem: (*super_block.first()?).into(),
        options: options.map(str::to_owned).collect(),
    })
}

/// Whether people keep files there, so that it is worth a line.
fn stores_files(mounted: &Mounted) -> bool {
    const OTHERS: [&str; 14] = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "exfat", "vfat", "tmpfs", "overlay", "nfs",
        "nfs4", "zfs", "bcachefs",
    ];
    let system = ["/dev", "/proc", "/run", "/sys", "/boot/efi"];
    OTHERS.contains(&mounted.filesystem.as_str())
        && !system.iter().any(|folder| {
            mounted.path == *folder || mounted.path.starts_with(&format!("{folder}/"))
        })
}

/// Whether files of this mount can be leased.
fn one(mounted: &Mounted, block: u64, zoned: bool) -> Check {
    let has = |option: &str| mounted.options.contains(option);
    let where_ = format!("{} ({})", printable(&mounted.path), mounted.filesystem);
    let dax = has("dax") || has("dax=always");
    let reason = match mounted.filesystem.as_str() {
        _ if zoned => Some(("its disk has zones", "use another disk")),
        "ext4" | "xfs" if dax => Some(("DAX has no page cache", "mount it with dax=never")),
        "ext4" if has("data=journal") => Some((
            "data=journal is not supported",
            "mount it with data=ordered",
        )),
        "xfs" if block > PAGE => Some((
            "its blocks are larger than a page",
            "make it with mkfs.xfs -b size=4096",
        )),
        "ext4" | "xfs" | "btrfs" => None,
        "overlay" => Some((
            "not through overlayfs",
            "lease the file below by its own path",
        )),
        _ => Some((
            "this filesystem is not supported",
            "keep files to be leased on ext4, XFS or btrfs",
        )),
    };
    match reason {
        Some((why, advice)) => {
            Check::warning(NAME, format!("{where_} cannot be leased: {why}"), advice)
        }
        None if has("ro") => Check::warning(
            NAME,
            format!("{where_} is read-only"),
            "a lease needs a file that is open for writing",
        ),
        None => Check::ok(NAME, format!("{where_} can be leased")),
    }
}

/// Lines look like `/swapfile  file  1048572  0  -2`.
fn swap_files(swaps: &str) -> Vec<Check> {
    let files = swaps.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let path = words.next()?;
        (words.next()? == "file").then_some(path)
    });
    files
        .map(|path| {
            Check::ok(
                "swap file",
                format!("{} itself cannot be leased", printable(path)),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    fn mounted(filesystem: &str, options: &str) -> Mounted {
        parse(&format!(
            "29 1 254:1 / /m\\040n rw,noatime shared:1 - {filesystem} /dev/vda {options}"
        ))
        .unwrap()
    }

    #[test]
    fn lines() {
        let found = mounted("ext4", "rw,data=journal");
        assert_eq!(found.path, "/m n");
        assert_eq!(found.device, "254:1");
        assert!(found.options.contains("noatime") && found.options.contains("data=journal"));
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn what_can_be_leased() {
        let verdict =
            |filesystem, options, block| one(&mounted(filesystem, options), block, false).verdict;
        for filesystem in ["ext4", "xfs", "btrfs"] {
            assert_eq!(verdict(filesystem, "rw", 4096), Verdict::Ok);
        }
        assert_eq!(verdict("ext4", "rw,data=journal", 4096), Verdict::Warning);
        assert_eq!(verdict("ext4", "rw,dax=always", 4096), Verdict::Warning);
        assert_eq!(verdict("xfs", "rw", 16384), Verdict::Warning);
        assert_eq!(verdict("ext4", "ro", 4096), Verdict::Warning);
        assert_eq!(verdict("overlay", "rw", 4096), Verdict::Warning);
        assert_eq!(verdict("tmpfs", "rw", 4096), Verdict::Warning);
        assert_eq!(
            one(&mounted("btrfs", "rw"), 4096, true).verdict,
            Verdict::Warning
        );
    }

    #[test]
    fn what_is_worth_a_line() {
        let at = |path: &str| Mounted {
            path: path.into(),
            ..mounted("tmpfs", "rw")
        };
        assert!(stores_files(&at("/srv")) && stores_files(&at("/runs")));
        assert!(!stores_files(&at("/run/lock")) && !stores_files(&at("/dev")));
        assert!(!stores_files(&mounted("proc", "rw")));
    }

    #[test]
    fn swap() {
        let swaps =
            "Filename Type Size Used Priority\n/dev/vdb partition 9 0 -2\n/swap file 9 0 -3\n";
        let checks = swap_files(swaps);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].found, "/swap itself cannot be leased");
    }
}
