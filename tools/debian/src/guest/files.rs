// SPDX-License-Identifier: GPL-2.0
//! What is on the disk.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{ensure, Result};

/// Folders that change by themselves: other filesystems, logs, caches, what runs.
const CHANGING: [&str; 12] = [
    "/dev",
    "/proc",
    "/run",
    "/share",
    "/sys",
    "/tmp",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/log",
    "/var/tmp",
];

/// The key that dkms makes for the machine when it first signs a module; it stays until dkms goes.
const KEY: [&str; 2] = ["/var/lib/dkms/mok.key", "/var/lib/dkms/mok.pub"];

/// Files that others write whenever packages come and go.
const REWRITTEN: [&str; 2] = ["-", ".lock"];

/// All paths, one a line, in order.
pub fn list() -> Result<String> {
    let mut paths = BTreeSet::new();
    walk(Path::new("/"), &mut paths)?;
    Ok(paths.into_iter().collect::<Vec<_>>().join("\n"))
}

fn walk(folder: &Path, paths: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let text = path.to_string_lossy().into_owned();
        // Backups of /etc/group and the like.
        let rewritten =
            text.starts_with("/etc/") && REWRITTEN.iter().any(|end| text.ends_with(end));
        if CHANGING.contains(&text.as_str()) || KEY.contains(&text.as_str()) || rewritten {
            continue;
        }
        paths.insert(text);
        if entry.file_type()?.is_dir() {
            walk(&path, paths)?;
        }
    }
    Ok(())
}

/// Errors: the lists differ; which paths do is said.
pub fn compare(before: &str, after: &str) -> Result<()> {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (before.lines().collect(), after.lines().collect());
    let left: Vec<_> = after.difference(&before).collect();
    let gone: Vec<_> = before.difference(&after).collect();
    ensure!(
        left.is_empty() && gone.is_empty(),
        "left over: {left:?}, gone: {gone:?}"
    );
    Ok(())
}

/// Errors: `after` has not exactly the group `name` more than `before`.
pub fn only_group(before: &str, after: &str, name: &str) -> Result<()> {
    let before: BTreeSet<_> = before.lines().collect();
    let more: Vec<_> = after
        .lines()
        .filter(|line| !before.contains(line))
        .collect();
    let prefix = format!("{name}:");
    ensure!(
        more.len() == 1
            && more[0].starts_with(&prefix)
            && after.lines().count() == before.len() + 1,
        "groups: {more:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        assert!(compare("/a\n/b", "/a\n/b").is_ok());
        assert!(compare("/a", "/a\n/b")
            .unwrap_err()
            .to_string()
            .contains("left over: [\"/b\"]"));
        assert!(compare("/a\n/b", "/a")
            .unwrap_err()
            .to_string()
            .contains("gone: [\"/b\"]"));
    }

    #[test]
    fn groups() {
        let before = "root:x:0:\nadm:x:4:\n";
        assert!(only_group(before, "root:x:0:\nadm:x:4:\npinlease:x:999:\n", "pinlease").is_ok());
        assert!(only_group(before, before, "pinlease").is_err());
        assert!(only_group(before, "adm:x:4:\npinlease:x:999:\n", "pinlease").is_err());
        assert!(only_group(before, "root:x:0:\nadm:x:4:\nb:x:7:\n", "pinlease").is_err());
    }
}
