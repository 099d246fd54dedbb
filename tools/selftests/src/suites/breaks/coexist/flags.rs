// SPDX-License-Identifier: GPL-2.0
//! chattr(1): flags that a leased file must not get.

use std::{fs::File, os::fd::AsRawFd, time::Instant};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::{hold, one_refusal, PAGES, SOON};
use crate::{
    harness::{skip, Context, TestResult},
    support::{expect::errno, residue, Filesystem, Fill, Mapped},
};

mod command {
    // The kernel reads and writes an int, whatever the number says.
    nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);
}

/// `FS_JOURNAL_DATA_FL`, `FS_COMPR_FL` and `FS_NODUMP_FL` of linux/fs.h.
const JOURNAL_DATA: libc::c_long = 0x4000;
const COMPRESS: libc::c_long = 0x0004;
const NO_DUMP: libc::c_long = 0x0040;

fn get(file: &File) -> Result<libc::c_long> {
    let mut flags = 0;
    // SAFETY: the command writes an int, for which `flags` has room.
    unsafe { command::get_flags(file.as_raw_fd(), &mut flags) }.context("reading flags")?;
    Ok(flags)
}

fn set(file: &File, flags: libc::c_long) -> nix::Result<()> {
    // SAFETY: the command reads an int, which `flags` begins with.
    unsafe { command::set_flags(file.as_raw_fd(), &flags) }.map(drop)
}

/// Journaling of data (ext4) and compression (btrfs) are refused, others not.
pub fn flags(context: &Context) -> TestResult {
    let flag = match context.filesystem()? {
        Filesystem::Ext4 => JOURNAL_DATA,
        Filesystem::Btrfs => COMPRESS,
        Filesystem::Xfs => return skip("XFS has no such flags"),
    };
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("coexist-flags"), PAGES, Fill::Faulted)?;
    let before = get(mapped.file())?;
    let mut holder = hold(&mapped)?;
    set(mapped.file(), before | NO_DUMP).context("a harmless flag")?;
    let begin = Instant::now();
    let result = set(mapped.file(), before | NO_DUMP | flag);
    errno("chattr +j or +c", result, Errno::ETXTBSY)?;
    ensure!(begin.elapsed() < SOON, "waited {:?}", begin.elapsed());
    let event = one_refusal(&mut holder)?;
    ensure!(event.operation.as_deref() == Some("set-flags"), "{event:?}");
    let after = get(mapped.file())?;
    ensure!(
        after == before | NO_DUMP,
        "flags {before:#x}, now {after:#x}"
    );
    holder.end()?;
    residue::none_left()?;
    set(mapped.file(), before | flag).context("when the lease is gone")
}
