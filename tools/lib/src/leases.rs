// SPDX-License-Identifier: GPL-2.0
//! All leases of the system.

use std::{
    ffi::OsString,
    os::{fd::BorrowedFd, unix::ffi::OsStringExt},
    path::PathBuf,
    time::Duration,
};

use nix::errno::Errno;
use pinlease_uapi as uapi;

use crate::{
    command::{issue_next, size},
    event::{name, process},
    time::deadline,
    ListError, Policy, State,
};

/// What the system tells about a lease, be it the caller's or another's.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// Names the lease in events.
    pub id: u64,
    /// First byte of the range.
    pub offset: u64,
    /// Bytes of the range.
    pub length: u64,
    /// Pins held.
    pub pins: u64,
    /// Bytes in them.
    pub pinned_bytes: u64,
    /// Number of the device that the file is on, as the kernel's superblock
    /// has it: on btrfs, stat(2) tells another one.
    pub device: u64,
    /// The file's inode number.
    pub inode: u64,
    /// The policy; `None`: one that this library does not know.
    pub policy: Option<Policy>,
    /// Where the lease is in its life.
    pub state: State,
    /// How long a breaker waits.
    pub grace: Duration,
    /// [`State::Breaking`]: when the policy acts, `CLOCK_MONOTONIC`; `None`:
    /// never.
    pub deadline: Option<Duration>,
    /// The holder's process, if it can be seen from here.
    pub pid: Option<i32>,
    /// Its name; empty without `pid`.
    pub comm: String,
    /// Its user.
    pub uid: u32,
    /// The file, if the caller may know it.
    pub path: Option<PathBuf>,
    /// Whether others may pin under it, see
    /// [`LeaseBuilder::grant`](crate::LeaseBuilder::grant).
    pub grant: bool,
    /// With `grant`: bytes of the range in pages that anybody pins, the lease's
    /// own pins among them; else 0.
    pub granted_bytes: u64,
    /// dma-bufs that have its pages.
    pub exports: u32,
}

impl LeaseInfo {
    /// Major number of [`device`](Self::device).
    pub fn major(&self) -> u32 {
        libc::major(self.device)
    }

    /// Minor number of [`device`](Self::device).
    pub fn minor(&self) -> u32 {
        libc::minor(self.device)
    }

    /// What `PINLEASE_IOC_NEXT` answered, with the room that it had for the
    /// path.
    pub fn from_raw(raw: &uapi::pinlease_next, buffer: &[u8]) -> Self {
        Self {
            id: raw.id,
            offset: raw.offset,
            length: raw.length,
            pins: raw.pins,
            pinned_bytes: raw.pinned_bytes,
            device: raw.device,
            inode: raw.inode,
            policy: Policy::from_raw(raw.policy),
            state: State::from_raw(raw.state),
            grace: Duration::from_millis(raw.grace_ms.into()),
            deadline: deadline(raw.deadline_ns),
            pid: process(raw.pid),
            comm: name(raw.pid, &raw.comm),
            uid: raw.uid,
            path: path(buffer, raw.path_size),
            // Both stay 0 when the module knows only the first version.
            grant: raw.flags & uapi::PINLEASE_ACQUIRE_GRANT != 0,
            granted_bytes: raw.granted_bytes,
            exports: raw.exports,
        }
    }
}

/// The path of which the module wrote `size` bytes with the final 0.
fn path(buffer: &[u8], size: u32) -> Option<PathBuf> {
    let bytes = buffer.get(..usize::try_from(size).ok()?)?;
    let bytes = bytes.strip_suffix(&[0])?;
    Some(OsString::from_vec(bytes.to_vec()).into())
}

/// All leases by rising id; made by [`Device::leases`](crate::Device::leases).
///
/// Ends after an error.
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Leases<'a> {
    device: BorrowedFd<'a>,
    /// The last id that was told; `None`: there is nothing more.
    last: Option<u64>,
    /// For the path; grows when one is longer.
    buffer: Vec<u8>,
}

impl<'a> Leases<'a> {
    pub(crate) fn new(device: BorrowedFd<'a>) -> Self {
        Self {
            device,
            last: Some(0),
            buffer: vec![0; 4096],
        }
    }

    /// The lease of number `id`, if there is one.
    pub(crate) fn find(&mut self, id: u64) -> Result<Option<LeaseInfo>, ListError> {
        let Some(before) = id.checked_sub(1) else {
            return Ok(None);
        };
        match self.after(before) {
            Ok(lease) => Ok(Some(lease).filter(|lease| lease.id == id)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn after(&mut self, last: u64) -> nix::Result<LeaseInfo> {
        loop {
            let mut raw = uapi::pinlease_next {
                size: size::<uapi::pinlease_next>(),
                id: last,
                ..Default::default()
            };
            issue_next(self.device, &mut raw, &mut self.buffer)?;
            let needed = usize::try_from(raw.path_size).map_err(|_| Errno::EOVERFLOW)?;
            if needed <= self.buffer.len() {
                return Ok(LeaseInfo::from_raw(&raw, &self.buffer));
            }
            // By the time of the next call it may be another lease: just as good.
            self.buffer.resize(needed, 0);
        }
    }
}

impl Iterator for Leases<'_> {
    type Item = Result<LeaseInfo, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        let last = self.last.take()?;
        match self.after(last) {
            Ok(lease) => {
                self.last = Some(lease.id);
                Some(Ok(lease))
            }
            Err(Errno::ENOENT) => None,
            Err(errno) => Some(Err(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::c_char, fs::File, os::fd::AsFd, path::Path};

    use super::*;

    #[test]
    fn all_fields() {
        let mut raw = uapi::pinlease_next {
            state: uapi::PINLEASE_STATE_BREAKING,
            id: 9,
            offset: 4096,
            length: 8192,
            pins: 2,
            pinned_bytes: 4096,
            inode: 12,
            deadline_ns: 5,
            device: libc::makedev(254, 3),
            policy: uapi::PINLEASE_POLICY_BLOCK,
            grace_ms: 1500,
            pid: 77,
            uid: 1000,
            path_size: 6,
            granted_bytes: 12288,
            flags: uapi::PINLEASE_ACQUIRE_GRANT,
            exports: 3,
            ..Default::default()
        };
        raw.comm[0] = c_char::from_ne_bytes(*b"a");
        let lease = LeaseInfo::from_raw(&raw, b"/mnt/\0old");
        assert_eq!((lease.major(), lease.minor()), (254, 3));
        let expected = LeaseInfo {
            id: 9,
            offset: 4096,
            length: 8192,
            pins: 2,
            pinned_bytes: 4096,
            device: libc::makedev(254, 3),
            inode: 12,
            policy: Some(Policy::Block),
            state: State::Breaking,
            grace: Duration::from_millis(1500),
            deadline: Some(Duration::from_nanos(5)),
            pid: Some(77),
            comm: "a".into(),
            uid: 1000,
            path: Some("/mnt/".into()),
            grant: true,
            granted_bytes: 12288,
            exports: 3,
        };
        assert_eq!(lease, expected);
        // What a module answers that knows only the first version.
        (raw.granted_bytes, raw.flags) = (0, 0);
        let lease = LeaseInfo::from_raw(&raw, b"/mnt/\0old");
        assert_eq!((lease.grant, lease.granted_bytes), (false, 0));
    }

    #[test]
    fn paths() {
        assert_eq!(path(b"/a\0\0\0", 3).as_deref(), Some(Path::new("/a")));
        assert_eq!(path(b"/a\0\0\0", 0), None);
        // Cut, and so without its end.
        assert_eq!(path(b"/abcd", 5), None);
        assert_eq!(path(b"/abcd", 6), None);
    }

    #[test]
    fn an_error_ends_it() {
        let null = File::open("/dev/null").unwrap();
        let mut leases = Leases::new(null.as_fd());
        assert_eq!(leases.next(), Some(Err(ListError::Unsupported)));
        assert_eq!(leases.next(), None);
        assert_eq!(leases.find(1), Err(ListError::Unsupported));
        // No lease has this number.
        assert_eq!(leases.find(0), Ok(None));
    }
}
