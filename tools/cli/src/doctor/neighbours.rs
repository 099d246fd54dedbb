// SPDX-License-Identifier: GPL-2.0
//! Who else redirects the kernel's functions: a function can be redirected once.

use std::fs;

use pinlease::host;

use super::Check;

/// Functions that leases need on every filesystem, and those of each filesystem's operations.
const HOOKED: [&str; 34] = [
    "folio_mkclean",
    "submit_bio",
    "__blk_crypto_submit_bio",
    "fs_bio_integrity_generate",
    "btrfs_submit_bbio",
    "btrfs_compress_bio",
    "sync_inodes_sb",
    "freeze_super",
    "vma_needs_dirty_tracking",
    "do_ftruncate",
    "do_truncate",
    "remap_verify_area",
    "ext4_move_extents",
    "__x64_sys_swapon",
    "xfs_ioc_commit_range",
    "xfs_ioc_exchange_range",
    "xfs_swap_extents",
    "ext4_sync_file",
    "ext4_setattr",
    "ext4_fallocate",
    "ext4_file_write_iter",
    "ext4_iomap_swap_activate",
    "ext4_fileattr_set",
    "xfs_file_fsync",
    "xfs_vn_setattr",
    "xfs_file_fallocate",
    "xfs_file_remap_range",
    "xfs_file_write_iter",
    "xfs_fileattr_set",
    "btrfs_sync_file",
    "btrfs_setattr",
    "btrfs_fallocate",
    "btrfs_remap_file_range",
    "btrfs_file_write_iter",
];

/// Looks for others. `hooks_out`: whether no hook of ours is installed, if that is known.
pub fn checks(hooks_out: Option<bool>) -> Vec<Check> {
    vec![
        livepatches(&patched_functions()),
        redirected(hooks_out, host::redirected_functions().ok().as_deref()),
    ]
}

/// Patch and function, from directories such as `/sys/kernel/livepatch/PATCH/vmlinux/FUNCTION,1`.
fn patched_functions() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    for patch in names("/sys/kernel/livepatch") {
        for object in names(&format!("/sys/kernel/livepatch/{patch}")) {
            for function in names(&format!("/sys/kernel/livepatch/{patch}/{object}")) {
                if let Some((function, _)) = function.split_once(',') {
                    functions.push((patch.clone(), function.to_owned()));
                }
            }
        }
    }
    functions
}

/// What is in a directory; nothing if it is none.
fn names(path: &str) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn livepatches(functions: &[(String, String)]) -> Check {
    const NAME: &str = "livepatch";
    let ours = functions
        .iter()
        .find(|(_, function)| HOOKED.contains(&function.as_str()));
    match ours {
        Some((patch, function)) => Check::failed(
            NAME,
            format!("{patch} replaces {function}, which leases need"),
            "boot a kernel that has the fix, or disable the livepatch",
        ),
        None if functions.is_empty() => Check::ok(NAME, "there is none"),
        None => Check::ok(NAME, "those that are loaded replace other functions"),
    }
}

fn redirected(hooks_out: Option<bool>, functions: Option<&[String]>) -> Check {
    const NAME: &str = "hooks";
    let Some(functions) = functions else {
        return Check::warning(
            NAME,
            "whether others redirect functions cannot be seen",
            "run as root with tracefs mounted",
        );
    };
    match hooks_out {
        Some(false) => Check::ok(NAME, "installed, for leases that there are"),
        _ => match functions.iter().find(|function| HOOKED.contains(&function.as_str())) {
            None => Check::ok(NAME, "nobody redirects a function that leases need"),
            Some(function) if hooks_out.is_some() => Check::failed(
                NAME,
                format!("somebody redirects {function}, which leases need"),
                "remove the livepatch or the BPF program, see /sys/kernel/tracing/enabled_functions",
            ),
            Some(function) => Check::warning(
                NAME,
                format!("{function} is redirected, by pinlease or by somebody else"),
                "run as a user who may open /dev/pinlease to know",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};

    fn functions(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The module's own sources name them.
    #[test]
    fn all_hooks_are_known() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rust/hook");
        let mut found = 0;
        for name in names(folder) {
            let source = fs::read_to_string(format!("{folder}/{name}")).unwrap();
            for line in source.lines().filter(|line| line.starts_with("#[hook(")) {
                let Some((_, rest)) = line
                    .split_once("symbol = ")
                    .or_else(|| line.split_once("function = "))
                else {
                    continue;
                };
                let function = rest.split([',', ')']).next().unwrap().trim_matches('"');
                assert!(HOOKED.contains(&function), "{function}");
                found += 1;
            }
        }
        assert!(found > 10, "only {found} hooks were found in {folder}");
    }

    #[test]
    fn patches() {
        let of = |function: &str| livepatches(&[("fix".into(), function.into())]).verdict;
        assert_eq!(of("vma_needs_dirty_tracking"), Verdict::Failed);
        assert_eq!(of("tcp_v4_rcv"), Verdict::Ok);
        assert_eq!(livepatches(&[]).verdict, Verdict::Ok);
    }

    #[test]
    fn others() {
        let verdict = |out, names: &[&str]| redirected(out, Some(&functions(names))).verdict;
        assert_eq!(verdict(Some(true), &["tcp_v4_rcv"]), Verdict::Ok);
        assert_eq!(verdict(Some(true), &["submit_bio"]), Verdict::Failed);
        assert_eq!(verdict(Some(false), &["submit_bio"]), Verdict::Ok);
        assert_eq!(verdict(None, &["submit_bio"]), Verdict::Warning);
        assert_eq!(redirected(Some(true), None).verdict, Verdict::Warning);
    }
}
