// SPDX-License-Identifier: GPL-2.0
//! Errors that come from the filesystem.

use std::{fs::File, io::Write};

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::{AcquireError, Device, MarkError, PinError, PinOptions, Policy, UnpinError};

use super::common::lease;
use crate::{
    harness::{skip, Context, Side, TestResult},
    support::{
        command::output,
        expect::{errno, from_io, one_of},
        freeze::Frozen,
        fscrypt::{self, Cipher},
        page_size,
        soon::soon,
        Filesystem, Fill, Layer, Mapped, Requirement, RigOptions, Scratch,
    },
};

const PAGE: usize = page_size();

/// A frozen filesystem takes neither marks nor unpins, and can be frozen again after that: who was
/// refused has given back nothing that he had not.
pub fn frozen(context: &Context) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let mapped = Mapped::create(&scratch.dir().join("f"), 4, Fill::Faulted)?;
    let device = Device::open()?;
    let lease = lease(&device, &mapped)?;
    let pin = lease
        .pin(mapped.address(0), 2 * PAGE, PinOptions::default())?
        .into_id();

    let frozen = Frozen::freeze(scratch.dir())?;
    let mark = lease.mark(0, PAGE as u64).map_err(MarkError::errno);
    let unpin = lease.unpin(pin).map_err(UnpinError::errno);
    frozen.thaw()?;
    soon("a second freeze", || Frozen::freeze(scratch.dir())?.thaw())??;
    errno("MARK while frozen", mark, Errno::EBUSY)?;
    errno("UNPIN while frozen", unpin, Errno::EBUSY)?;
    ensure!(lease.query()?.pins == 1, "unpinned although it said EBUSY");
    lease.mark(0, PAGE as u64).context("MARK after the thaw")?;
    lease.unpin(pin).context("UNPIN after the thaw")
}

/// A hole cannot be pinned when no block is left for it.
pub fn full(context: &Context) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let mapped = Mapped::create(&scratch.dir().join("f"), 4, Fill::Written)?;
    // A hole behind the first pages, larger than what is left of any reserve.
    let pages = 4096;
    let sparse = Mapped::sparse(&scratch.dir().join("sparse"), pages)?;
    let mut filler = File::create(scratch.dir().join("filler"))?;
    let chunk = vec![0xa5; 1 << 20];
    let result = loop {
        if let Err(error) = from_io(filler.write_all(&chunk)) {
            break error;
        }
    };
    errno("filling", Err::<(), _>(result), Errno::ENOSPC)?;
    // What is left in delayed allocation may turn out to be too much as well.
    let _ = filler.sync_all();

    let device = Device::open()?;
    let leased = lease(&device, &sparse)?;
    let result = leased.pin(sparse.address(0), sparse.length(), PinOptions::default());
    let expected = [Errno::ENOSPC, Errno::EDQUOT, Errno::EIO];
    one_of("pinning a hole", result.map_err(PinError::errno), &expected)?;
    ensure!(leased.query()?.pins == 0, "a failed pin is counted");
    // Where there are blocks already, ext4 and XFS need no others.
    if context.filesystem()? != Filesystem::Btrfs {
        let leased = lease(&device, &mapped)?;
        leased
            .pin(mapped.address(0), mapped.length(), PinOptions::default())?
            .release()?;
    }
    Ok(())
}

/// jbd2 checksums data before it is submitted: no lease with data=journal.
pub fn data_journal(context: &Context) -> TestResult {
    context.load_modules()?;
    if context.filesystem()? != Filesystem::Ext4 {
        return skip("only ext4 has data=journal");
    }
    let scratch = Scratch::new(context.device()?, Filesystem::Ext4, Layer::Plain)?;
    scratch.umount()?;
    let disk = scratch.source().to_string_lossy().into_owned();
    let dir = scratch.dir().to_string_lossy().into_owned();
    output("mount", &["-t", "ext4", "-o", "data=journal", &disk, &dir])?;
    let mapped = Mapped::create(&scratch.dir().join("f"), 4, Fill::Faulted)?;
    let device = Device::open()?;
    let result = device.lease(&mapped).policy(Policy::Refuse).acquire();
    errno(
        "data=journal",
        result.map_err(AcquireError::errno),
        Errno::EOPNOTSUPP,
    )
}

/// An encrypted file can be leased like any other.
pub fn encrypted(context: &Context) -> TestResult {
    context.load_modules()?;
    if context.filesystem()? != Filesystem::Ext4 {
        return skip("of these only ext4 has encryption");
    }
    let scratch = Scratch::new(context.device()?, Filesystem::Ext4, Layer::Plain)?;
    let folder = scratch.dir().join("encrypted");
    std::fs::create_dir(&folder)?;
    fscrypt::encrypt(&folder, Cipher::AesXts)?;
    let rig = RigOptions::new(Side::Pinlease, 4, Fill::Faulted).build(&folder.join("f"))?;
    for generation in 1..=3 {
        rig.engine.write_all(generation)?;
        rig.fsync()?;
        rig.census(Requirement::Exactly(generation))?.all_kept()?;
    }
    rig.release().map(drop)
}
