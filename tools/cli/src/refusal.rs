// SPDX-License-Identifier: GPL-2.0
//! Why a file cannot be leased, and what to do about it.
//!
//! An errno stands for several reasons; the file itself tells which it was.

use std::{fs::File, os::unix::fs::MetadataExt};

use nix::unistd::{sysconf, SysconfVar};
use pinlease::{AcquireError, Policy};

use crate::{
    mount::Mount,
    range::FileRange,
    units::{bytes, printable, LAST},
    users::Users,
};

/// Where leases are kept.
const FILESYSTEMS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of what.
    pub range: &'a FileRange,
    /// Who yields.
    pub policy: Policy,
    /// Whether others may pin.
    pub grant: bool,
}

/// What is known of the file.
#[derive(Debug, Default)]
struct Facts {
    size: u64,
    regular: bool,
    owner: String,
    /// `None`: it is not known.
    filesystem: Option<String>,
}

impl Facts {
    /// What cannot be found out stays unknown: there is an error to tell of
    /// already.
    fn of(file: &File) -> Self {
        let metadata = file.metadata();
        let uid = metadata.as_ref().map_or(0, MetadataExt::uid);
        let users = Users::load();
        let mount = Mount::of(file).ok().flatten();
        Self {
            size: metadata.as_ref().map_or(0, std::fs::Metadata::len),
            regular: metadata.is_ok_and(|metadata| metadata.is_file()),
            owner: users.name(uid).map_or(uid.to_string(), Into::into),
            filesystem: mount.map(|mount| mount.filesystem),
        }
    }
}

impl Wanted<'_> {
    /// One line about `error`, with the file's name.
    pub fn refused(&self, error: AcquireError, file: &File) -> String {
        let path = printable(&self.range.path.display().to_string());
        match self.reason(error, &Facts::of(file)) {
            Some(reason) => format!("{path}: cannot lease: {reason}"),
            None => format!("{path}: {error}"),
        }
    }

    /// `None`: what the library says is all that can be said.
    fn reason(&self, error: AcquireError, file: &Facts) -> Option<String> {
        match error {
            AcquireError::BadRange => self.bad_range(file),
            AcquireError::BeyondEnd => Some(self.beyond_end(file)),
            AcquireError::NotOwner => Some(format!(
                "the file belongs to {}; run as its owner or with CAP_LEASE",
                file.owner
            )),
            AcquireError::Unsupported => self.unsupported(file),
            AcquireError::NoMemory if self.grant => Some(
                "no memory, or RLIMIT_MEMLOCK would be exceeded by the eight bytes that a grant \
                 costs for each page of the range; lease less, or raise 'ulimit -l'"
                    .into(),
            ),
            _ => None,
        }
    }

    fn bad_range(&self, file: &Facts) -> Option<String> {
        let FileRange { offset, length, .. } = *self.range;
        let page = page_size();
        let to_the_end = length == 0;
        Some(if !file.regular {
            "not a regular file, and only those can be leased".into()
        } else if offset % page != 0 {
            format!(
                "the range does not begin on a page; its offset must be a multiple of {}",
                bytes(page)
            )
        } else if offset.checked_add(length).is_none_or(|end| end > LAST) {
            "the range overflows: no file is that long".into()
        } else if to_the_end && file.size == 0 {
            format!(
                "the file is empty; give it its size first, such as by 'truncate -s 1G {}'",
                self.path()
            )
        } else if to_the_end && file.size <= offset {
            format!(
                "the range is empty: the file ends after {} bytes",
                bytes(file.size)
            )
        } else if self.grant {
            "the module is older than this program and knows no grants; update it".into()
        } else {
            return None;
        })
    }

    fn beyond_end(&self, file: &Facts) -> String {
        let FileRange { offset, length, .. } = *self.range;
        let end = offset.saturating_add(length.max(1).next_multiple_of(page_size()));
        format!(
            "the range reaches beyond the end of the file, which has {} bytes; extend it first, \
             such as by 'truncate -s {} {}'",
            bytes(file.size),
            bytes(end),
            self.path()
        )
    }

    fn unsupported(&self, file: &Facts) -> Option<String> {
        if self.grant && self.policy == Policy::Revoke {
            return Some(REVOKE.into());
        }
        let name = file.filesystem.as_deref()?;
        Some(if name == "overlay" {
            "not through overlayfs; lease the file below by its own path".into()
        } else if FILESYSTEMS.contains(&name) {
            format!(
                "this {name} is in a mode in which no lease can be kept, such as data=journal, \
                 compression, encryption or DAX; the kernel's debug log says which"
            )
        } else {
            format!("no lease can be kept on {name}, only on ext4, XFS and btrfs")
        })
    }

    fn path(&self) -> String {
        printable(&self.range.path.display().to_string())
    }
}

/// Why there is no grant with the policy revoke.
pub const REVOKE: &str = "with a grant others pin, and nobody can take their pins away: use kill, \
                          block or refuse instead of revoke";

fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| size.try_into().ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            size: 8192,
            regular: true,
            owner: "cam".into(),
            filesystem: Some("ext4".into()),
        }
    }

    fn reason(range: &str, error: AcquireError, facts: &Facts) -> String {
        let range = range.parse().unwrap();
        let wanted = Wanted {
            range: &range,
            policy: Policy::Kill,
            grant: true,
        };
        wanted.reason(error, facts).unwrap()
    }

    #[test]
    fn beyond_the_end() {
        let text = reason("d:0,1M", AcquireError::BeyondEnd, &facts());
        assert_eq!(
            text,
            "the range reaches beyond the end of the file, which has 8K bytes; extend it first, \
             such as by 'truncate -s 1M d'"
        );
        // Up to the end, but that is before its beginning.
        let text = reason("d:16K,0", AcquireError::BeyondEnd, &facts());
        assert!(text.ends_with("'truncate -s 20K d'"), "{text}");
    }

    #[test]
    fn bad_ranges() {
        let bad = |range, facts: &Facts| reason(range, AcquireError::BadRange, facts);
        let empty = Facts { size: 0, ..facts() };
        let folder = Facts {
            regular: false,
            ..facts()
        };
        for (text, expected) in [
            (bad("d", &folder), "not a regular file"),
            (bad("d:5,4K", &facts()), "does not begin on a page"),
            (bad("d:4K,9223372036854775807", &facts()), "overflows"),
            (bad("d:4K,18446744073709551615", &facts()), "overflows"),
            (bad("d", &empty), "'truncate -s 1G d'"),
            (bad("d:8K,0", &facts()), "the file ends after 8K bytes"),
            // Nothing is wrong with it.
            (bad("d:4K,4K", &facts()), "the module is older"),
        ] {
            assert!(text.contains(expected), "{text}");
        }
        let range = "d:4K,4K".parse().unwrap();
        let wanted = Wanted {
            range: &range,
            policy: Policy::Kill,
            grant: false,
        };
        assert_eq!(wanted.reason(AcquireError::BadRange, &facts()), None);
    }

    #[test]
    fn what_a_grant_costs() {
        let text = reason("d", AcquireError::NoMemory, &facts());
        assert!(text.contains("raise 'ulimit -l'"), "{text}");
    }

    #[test]
    fn owners() {
        let text = reason("d", AcquireError::NotOwner, &facts());
        assert!(text.contains("belongs to cam"), "{text}");
    }

    #[test]
    fn filesystems() {
        let on = |filesystem: &str| {
            let facts = Facts {
                filesystem: Some(filesystem.into()),
                ..facts()
            };
            reason("d", AcquireError::Unsupported, &facts)
        };
        assert!(on("tmpfs").contains("no lease can be kept on tmpfs"));
        assert!(on("ext4").contains("this ext4 is in a mode"));
        assert!(on("overlay").contains("file below"));
        let range = "d".parse().unwrap();
        let revoke = Wanted {
            range: &range,
            policy: Policy::Revoke,
            grant: true,
        };
        let text = revoke.reason(AcquireError::Unsupported, &facts());
        assert_eq!(text.as_deref(), Some(REVOKE));
    }

    #[test]
    fn all_of_it() {
        let file = File::open("/dev/null").unwrap();
        let range = "/dev/null".parse().unwrap();
        let wanted = Wanted {
            range: &range,
            policy: Policy::Kill,
            grant: true,
        };
        assert_eq!(
            wanted.refused(AcquireError::BadRange, &file),
            "/dev/null: cannot lease: not a regular file, and only those can be leased"
        );
        let text = wanted.refused(AcquireError::TooManyLeases, &file);
        assert!(
            text.starts_with("/dev/null: cannot lease: the user has "),
            "{text}"
        );
    }
}
