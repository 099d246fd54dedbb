// SPDX-License-Identifier: GPL-2.0
//! A quota is exceeded: of the user on ext4 and XFS, of the subvolume on btrfs.

use std::{
    fs::{self, File, Permissions},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    mount::{mount, MsFlags},
    sys::quota::{quotactl_set, Dqblk, QuotaType, QuotaValidFlags},
    unistd::{seteuid, Uid},
};
use pinlease::{Device, PinError, PinOptions, Policy};

use super::story::{Fsync, Story};
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        command::output, expect::errno, process::NOBODY, sysctl::idle_flusher, Filesystem, Layer,
        Mapped, Scratch,
    },
};

/// Soft limits, which hold from a time on that is long past.
const LONG_AGO: i64 = 1;

/// The only subvolume of a new btrfs (`BTRFS_FS_TREE_OBJECTID`).
const SUBVOLUME: u64 = 5;

/// Sets the limit, fsyncs, lifts it, fsyncs.
///
/// As with [a full filesystem](super::enospc), what is written in place needs no
/// quota.
pub fn check(context: &Context) -> TestResult {
    context.load_modules()?;
    let _quiet = idle_flusher()?;
    let limited = Limited::new(context)?;
    let user = AnyUser::begin()?;
    let story = Story::begin(context, &limited.scratch.dir().join("f"))?;
    let root = user.end()?;
    limited.limit(Limit::Hard)?;
    // The kernel does not tell pinlease of the quotas of btrfs.
    let result = story.fsync(2, &[Errno::EIO])?;
    if context.side != Side::Stock {
        let saves = limited.filesystem != Filesystem::Btrfs;
        ensure!((result == Fsync::Saved) == saves, "{result:?}");
    }
    limited.limit(Limit::None)?;
    story.is_saved(2)?;
    drop((story, root));
    Ok(())
}

/// A hole cannot be pinned: EDQUOT, whichever limit it is.
pub fn hole(context: &Context) -> TestResult {
    const PAGES: u64 = 16;
    context.load_modules()?;
    let _quiet = idle_flusher()?;
    let limited = Limited::new(context)?;
    let user = AnyUser::begin()?;
    // A first page, so that the user has something.
    let path = limited.scratch.dir().join("f");
    let some = Mapped::create(&path, 4, crate::support::Fill::Written)?;
    let hole = Mapped::sparse(&limited.scratch.dir().join("hole"), PAGES)?;
    let device = Device::open()?;
    let lease = device.lease(&hole).policy(Policy::Refuse).acquire()?;
    let pin = || {
        let address = hole.address(0);
        lease.pin(address, hole.length(), PinOptions::default())
    };
    let expected = match limited.filesystem {
        Filesystem::Btrfs => Errno::EIO,
        Filesystem::Ext4 | Filesystem::Xfs => Errno::EDQUOT,
    };
    let mut user = user;
    for limit in [Limit::Hard, Limit::Soft] {
        let root = user.end()?;
        limited.limit(limit)?;
        user = root.again()?;
        let refused = pin().map(drop).map_err(PinError::errno);
        errno(
            &format!("a pin beyond the limit {limit:?}"),
            refused,
            expected,
        )?;
    }
    ensure!(lease.query()?.pins == 0, "a failed pin is counted");
    let root = user.end()?;
    limited.limit(Limit::None)?;
    let user = root.again()?;
    pin()?.release()?;
    drop((lease, some, hole));
    drop(user.end()?);
    Ok(())
}

/// Which limit the user has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Limit {
    None,
    /// Less than is used now.
    Hard,
    /// The same, and the time in which it may be exceeded is over.
    Soft,
}

/// A filesystem with quotas.
struct Limited {
    filesystem: Filesystem,
    scratch: Scratch,
}

impl Limited {
    fn new(context: &Context) -> Result<Self> {
        let filesystem = context.filesystem()?;
        let scratch = Scratch::new(context.device()?, filesystem, Layer::Plain)?;
        let source = scratch.source();
        match filesystem {
            Filesystem::Btrfs => btrfs::enable(&File::open(scratch.dir())?)?,
            Filesystem::Ext4 | Filesystem::Xfs => {
                scratch.umount()?;
                if filesystem == Filesystem::Ext4 {
                    output("tune2fs", &["-O", "quota", &source.to_string_lossy()])?;
                }
                let (name, options) = (Some(filesystem.name()), Some("usrquota"));
                let flags = MsFlags::empty();
                mount(Some(source), scratch.dir(), name, flags, options)
                    .context("mounting with usrquota")?;
            }
        }
        fs::set_permissions(scratch.dir(), Permissions::from_mode(0o777))?;
        Ok(Self {
            filesystem,
            scratch,
        })
    }

    fn limit(&self, limit: Limit) -> Result<()> {
        if self.filesystem == Filesystem::Btrfs {
            let dir = File::open(self.scratch.dir())?;
            return btrfs::limit(&dir, (limit != Limit::None).then_some(4096));
        }
        // In KiB, and less than any file has.
        let few = 4;
        let mut quota = Dqblk::default();
        let mut fields = QuotaValidFlags::QIF_BLIMITS;
        match limit {
            Limit::None => {}
            Limit::Hard => quota.set_blocks_hard_limit(few),
            Limit::Soft => {
                quota.set_blocks_soft_limit(few);
                quota.set_block_time_limit(LONG_AGO as u64);
                fields |= QuotaValidFlags::QIF_BTIME;
            }
        }
        let (kind, id) = (QuotaType::USRQUOTA, NOBODY as i32);
        quotactl_set(kind, self.scratch.source(), id, &quota, fields).context("Q_SETQUOTA")
    }
}

/// Quotas of btrfs: `include/uapi/linux/btrfs.h`.
mod btrfs {
    use super::*;

    const ENABLE: u64 = 1;
    const MAX_REFERENCED: u64 = 1;
    const NO_LIMIT: u64 = u64::MAX;

    /// `struct btrfs_ioctl_quota_ctl_args`.
    #[repr(C)]
    pub struct Control {
        command: u64,
        status: u64,
    }

    /// `struct btrfs_ioctl_qgroup_limit_args`.
    #[repr(C)]
    pub struct Limits {
        group: u64,
        flags: u64,
        max_referenced: u64,
        max_exclusive: u64,
        reserved_referenced: u64,
        reserved_exclusive: u64,
    }

    mod command {
        use super::{Control, Limits};

        nix::ioctl_readwrite!(control, 0x94, 40, Control);
        // The kernel reads it, whatever the number says.
        nix::ioctl_read!(limit, 0x94, 43, Limits);
        nix::ioctl_none!(wait_for_scan, 0x94, 46);
    }

    pub fn enable(dir: &File) -> Result<()> {
        let mut control = Control {
            command: ENABLE,
            status: 0,
        };
        // SAFETY: the structure lives during the call.
        unsafe { command::control(dir.as_raw_fd(), &mut control) }.context("enabling quotas")?;
        // SAFETY: the command has no argument.
        unsafe { command::wait_for_scan(dir.as_raw_fd()) }.context("counting what is used")?;
        Ok(())
    }

    pub fn limit(dir: &File, bytes: Option<u64>) -> Result<()> {
        let mut limits = Limits {
            group: SUBVOLUME,
            flags: MAX_REFERENCED,
            max_referenced: bytes.unwrap_or(NO_LIMIT),
            max_exclusive: 0,
            reserved_referenced: 0,
            reserved_exclusive: 0,
        };
        // SAFETY: the structure lives during the call.
        unsafe { command::limit(dir.as_raw_fd(), &mut limits) }.context("limiting")?;
        Ok(())
    }
}

/// As long as it lives, the process is an unprivileged user, who may use the
/// devices.
#[must_use = "dropping it makes the process privileged again"]
struct AnyUser(());

/// What [`AnyUser`] was before.
#[must_use = "dropping it takes the devices back"]
struct Root(());

const NODES: [&str; 2] = ["/dev/pinlease", "/dev/dmasim"];

impl AnyUser {
    fn begin() -> Result<Self> {
        for node in NODES {
            // On the stock side pinlease need not be loaded.
            let _ = fs::set_permissions(node, Permissions::from_mode(0o666));
        }
        Root(()).again()
    }

    fn end(self) -> Result<Root> {
        seteuid(Uid::from_raw(0))?;
        std::mem::forget(self);
        Ok(Root(()))
    }
}

impl Root {
    fn again(self) -> Result<AnyUser> {
        seteuid(Uid::from_raw(NOBODY))?;
        std::mem::forget(self);
        Ok(AnyUser(()))
    }
}

impl Drop for AnyUser {
    fn drop(&mut self) {
        let _ = seteuid(Uid::from_raw(0));
        drop(Root(()));
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        for node in NODES {
            let _ = fs::set_permissions(node, Permissions::from_mode(0o600));
        }
    }
}
