// SPDX-License-Identifier: GPL-2.0
//! chattr(1): flags that a leased file must not get.

use std::time::Instant;

use anyhow::{ensure, Context as _};
use nix::errno::Errno;

use super::{hold, one_refusal, PAGES, SOON};
use crate::{
    harness::{skip, Context, TestResult},
    support::{
        expect::errno,
        flags::{get, set, COMPRESS, JOURNAL_DATA, NO_DUMP},
        residue, Filesystem, Fill, Mapped,
    },
};

/// Journaling of data (ext4) is refused; compression (btrfs) is not, nor are
/// others.
pub fn flags(context: &Context) -> TestResult {
    let (flag, refused) = match context.filesystem()? {
        Filesystem::Ext4 => (JOURNAL_DATA, true),
        Filesystem::Btrfs => (COMPRESS, false),
        Filesystem::Xfs => return skip("XFS has no such flags"),
    };
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("coexist-flags"), PAGES, Fill::Faulted)?;
    let before = get(mapped.file())?;
    let mut holder = hold(&mapped)?;
    set(mapped.file(), before | NO_DUMP).context("a harmless flag")?;
    let begin = Instant::now();
    let result = set(mapped.file(), before | NO_DUMP | flag);
    ensure!(begin.elapsed() < SOON, "waited {:?}", begin.elapsed());
    let mut expected = before | NO_DUMP;
    if refused {
        errno("chattr +j", result, Errno::ETXTBSY)?;
        let event = one_refusal(&mut holder)?;
        ensure!(event.operation.as_deref() == Some("set-flags"), "{event:?}");
    } else {
        result.context("chattr +c")?;
        expected |= flag;
    }
    let after = get(mapped.file())?;
    ensure!(after == expected, "flags {before:#x}, now {after:#x}");
    holder.end()?;
    residue::none_left()?;
    set(mapped.file(), before | flag).context("when the lease is gone")
}
