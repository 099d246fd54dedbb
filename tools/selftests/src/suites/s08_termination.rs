// SPDX-License-Identifier: GPL-2.0
//! Scenario 8: sync, syncfs, freeze and thaw, umount, remount-ro and rmmod end,
//! or say EBUSY, while pins live and the device writes; and what asks for
//! durability gets it.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use nix::{errno::Errno, mount::MsFlags, sys::wait::WaitStatus};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        expect::one_of,
        freeze::Frozen,
        modules, process,
        soon::{soon, LIMIT},
        Fill, Layer, Requirement, Rig, RigOptions, Scratch,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s08-termination.sync", |cx| durable(cx, "sync", sync)).granted(),
    Test::new("s08-termination.syncfs", |cx| durable(cx, "syncfs", syncfs)).granted(),
    Test::new("s08-termination.fdatasync", |cx| {
        durable(cx, "fdatasync", fdatasync)
    })
    .granted(),
    Test::new("s08-termination.msync", |cx| {
        durable(cx, "msync", msync_all)
    })
    .granted(),
    Test::new("s08-termination.freeze", |cx| durable(cx, "freeze", freeze)).granted(),
    Test::new("s08-termination.freeze-sync", |cx| {
        durable(cx, "freeze, sync, thaw", freeze_sync)
    })
    .granted(),
    Test::new("s08-termination.umount", umount).granted(),
    Test::new("s08-termination.remount-ro", remount).granted(),
    Test::new("s08-termination.rmmod", rmmod).granted(),
];

/// A filesystem of our own, with a device that writes without pause.
fn setup(context: &Context) -> Result<(Scratch, Rig)> {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let options = RigOptions::new(context.side, context.pages, Fill::Faulted);
    let rig = options.build(&scratch.dir().join("f"))?;
    rig.engine.start(1, Duration::ZERO)?;
    rig.engine.wait_passes(1)?;
    Ok((scratch, rig))
}

/// What was published before `request` is on the disk after it.
fn durable(context: &Context, what: &str, request: fn(&Rig, &Scratch) -> Result<()>) -> TestResult {
    let (scratch, rig) = setup(context)?;
    for _ in 0..3 {
        let published = rig.engine.wait_passes(1)?.completed;
        soon(what, || request(&rig, &scratch))??;
        rig.census(Requirement::AtLeast(published))?.all_kept()?;
    }
    rig.engine.stop()?;
    ensure!(rig.lease()?.query()?.errors == 0, "the lease counts errors");
    drop(rig);
    drop(scratch);
    Ok(())
}

fn sync(_: &Rig, _: &Scratch) -> Result<()> {
    nix::unistd::sync();
    Ok(())
}

fn syncfs(rig: &Rig, _: &Scratch) -> Result<()> {
    nix::unistd::syncfs(rig.mapped.file()).context("syncfs")
}

fn fdatasync(rig: &Rig, _: &Scratch) -> Result<()> {
    rig.mapped.file().sync_data().context("fdatasync")
}

fn msync_all(rig: &Rig, _: &Scratch) -> Result<()> {
    rig.mapped.msync(0, rig.mapped.pages()).context("msync")
}

/// What the device wrote before a freeze is on the disk while it is frozen (a
/// snapshot of the disk has it); what it writes meanwhile follows after the thaw.
fn freeze(rig: &Rig, scratch: &Scratch) -> Result<()> {
    let before = rig.engine.status()?.completed;
    let frozen = soon("freeze alone", || Frozen::freeze(scratch.dir()))??;
    rig.census(Requirement::AtLeast(before))?.all_kept()?;
    let meanwhile = rig.engine.wait_passes(2)?.completed;
    // A reader must not wait for the thaw either.
    let mut byte = [0];
    std::os::unix::fs::FileExt::read_exact_at(rig.mapped.file(), &mut byte, 0)?;
    soon("thaw", || frozen.thaw())??;
    soon("fsync after the thaw", || rig.fsync())??;
    rig.census(Requirement::AtLeast(meanwhile))?.all_kept()
}

/// Who asks for durability of everything while it is frozen neither hangs nor
/// keeps the thaw from coming.
fn freeze_sync(rig: &Rig, scratch: &Scratch) -> Result<()> {
    let frozen = soon("freeze alone", || Frozen::freeze(scratch.dir()))??;
    let meanwhile = rig.engine.wait_passes(1)?.completed;
    // In processes of their own: whatever they do, the thaw must come.
    let begin = Instant::now();
    let syncing = process::spawn(|| {
        nix::unistd::sync();
        Ok(())
    })?;
    let file = rig.mapped.file().try_clone()?;
    let syncing_one = process::spawn(move || nix::unistd::syncfs(&file).context("syncfs"))?;
    let mut ended = Vec::new();
    for (name, process) in [("sync", syncing), ("syncfs", syncing_one)] {
        let status = process.wait(LIMIT)?;
        println!("{name} while frozen: {:?}", begin.elapsed());
        ended.push((name, status));
    }
    soon("thaw", || frozen.thaw())??;
    for (name, status) in ended {
        ensure!(
            matches!(status, WaitStatus::Exited(_, 0)),
            "{name} while frozen: {status:?}"
        );
    }
    soon("sync after the thaw", nix::unistd::sync)?;
    rig.census(Requirement::AtLeast(meanwhile))?.all_kept()
}

fn umount(context: &Context) -> TestResult {
    let (scratch, rig) = setup(context)?;
    let result = soon("umount", || scratch.umount())?;
    one_of("umount under a lease", result, &[Errno::EBUSY])?;
    // The file and the mapping are closed, only the lease is left.
    let Rig {
        engine,
        hold,
        mapped,
        window,
    } = rig;
    drop((mapped, window));
    let result = soon("umount", || scratch.umount())?;
    one_of("umount under nothing but a lease", result, &[Errno::EBUSY])?;
    drop((engine, hold));
    let begin = Instant::now();
    while scratch.umount().is_err() {
        ensure!(
            begin.elapsed() < LIMIT,
            "still busy {LIMIT:?} after the lease"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("umount succeeds after {:?}", begin.elapsed());
    Ok(())
}

fn remount(context: &Context) -> TestResult {
    let (scratch, rig) = setup(context)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    let result = soon("remount-ro", || scratch.mount(read_only))?;
    one_of("remount-ro under a lease", result, &[Errno::EBUSY])?;
    let published = rig.engine.wait_passes(1)?.completed;
    rig.fsync()?;
    rig.census(Requirement::AtLeast(published))?.all_kept()
}

fn rmmod(context: &Context) -> TestResult {
    let (scratch, rig) = setup(context)?;
    // EAGAIN is what the kernel says of a module in use when it is not asked
    // to wait; rmmod(8) says "in use".
    let busy = [Errno::EBUSY, Errno::EAGAIN];
    for name in ["dmasim", "pinlease"] {
        let result = soon(name, || modules::unload(name))?;
        one_of(&format!("rmmod {name} under a lease"), result, &busy)?;
    }
    // A lease alone, without a driver, must hold the module as well.
    let Rig {
        engine,
        hold,
        mapped,
        window,
    } = rig;
    drop(engine);
    let result = soon("dmasim", || modules::unload("dmasim"))?;
    result.context("rmmod dmasim when no engine is left")?;
    let result = soon("pinlease", || modules::unload("pinlease"))?;
    one_of("rmmod pinlease under a lease alone", result, &busy)?;
    drop((hold, mapped, window));
    drop(scratch);
    Ok(())
}
