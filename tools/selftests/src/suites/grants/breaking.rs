// SPDX-License-Identifier: GPL-2.0
//! Breakers wait for what others have pinned.

use std::{fs::File, thread, time::Duration};

use anyhow::{ensure, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
    sys::signal::{kill, Signal},
};
use pinlease::{Policy, State};

use super::{file, grant, pins, pins_pages, AGES, PAGE};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        channel::{channel, Sender},
        expect::{errno, from_io},
        page_size, process,
        residue::none_left,
        Breaking, Broken, Handler, Mapped,
    },
};

pub const TESTS: &[Test] = &[
    Test::new("grants.break-closed", closed),
    Test::new("grants.break-shrunk", shrunk),
    Test::new("grants.break-killed", killed),
    Test::new("grants.break-survivor", survivor),
    Test::new("grants.break-beside", beside),
    Test::new("grants.break-refuse", refuse),
    Test::new("grants.break-own", own),
];

/// More than a 2 MiB folio: those that write(2) makes reach over all edges.
const PAGES: u64 = 1024;

/// How long a breaker is watched to wait.
const WATCHED: Duration = Duration::from_millis(400);

/// A breaker that has not begun.  It is made before there are descriptors that
/// it must not have.
struct Punch {
    breaking: Breaking,
    go: Sender<()>,
}

/// Will punch a hole into these pages.
fn punch(mapped: &Mapped, first: u64, pages: u64) -> Result<Punch> {
    let path = mapped.path().to_owned();
    let (go, mut may_go) = channel::<()>()?;
    let breaking = Breaking::begin(Handler::Interrupts, move || {
        may_go.receive(AGES).map_err(|_| Errno::ETIME)?;
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(
            from_io(File::options().write(true).open(&path))?,
            flags,
            (first * PAGE) as i64,
            (pages * PAGE) as i64,
        )
    })?;
    Ok(Punch { breaking, go })
}

impl Punch {
    fn go(self) -> Result<Breaking> {
        self.go.send(&())?;
        Ok(self.breaking)
    }
}

fn waits(breaking: &Breaking) -> Result<()> {
    ensure!(!breaking.has_ended(WATCHED)?, "the breaker has not waited");
    Ok(())
}

fn passes(breaking: Breaking) -> Result<Broken> {
    let broken = breaking.end(AGES)?;
    broken.result()?;
    Ok(broken)
}

/// Closing answers; but the driver has the pages until it lets go.
fn closed(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let punch = punch(&mapped, 8, 8)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let engine = pins(mapped.address(0), PAGES)?;
    let breaking = punch.go()?;
    waits(&breaking)?;
    drop(lease);
    waits(&breaking)?;
    engine.write_all(3)?;
    drop(engine);
    passes(breaking)?;
    let zeroes = mapped.load(8).iter().all(|&byte| byte == 0);
    ensure!(zeroes, "the hole has data");
    none_left()
}

/// So does shrinking, when nothing is pinned there.
fn shrunk(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let (first, second) = (punch(&mapped, 0, 8)?, punch(&mapped, 600, 8)?);
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let (engine, window) = pins_pages(&mapped, 512..PAGES)?;
    let breaking = first.go()?;
    waits(&breaking)?;
    lease.shrink(512 * PAGE, 512 * PAGE)?;
    passes(breaking)?;
    ensure!(lease.query()?.state == State::Held, "{:?}", lease.query()?);
    let breaking = second.go()?;
    waits(&breaking)?;
    drop((engine, window, lease));
    passes(breaking)?;
    none_left()
}

/// A holder with a grant, in a process of its own; its driver ends with it,
/// or with whoever else has a copy of its descriptor.
fn holder(mapped: &Mapped) -> Result<process::Forked> {
    let (ready, mut is_ready) = channel::<()>()?;
    let (_keep, mut never) = channel::<()>()?;
    let holder = process::spawn(move || {
        let lease = pinlease::Device::open()?
            .lease(mapped)
            .policy(Policy::Kill)
            .grace(Duration::from_millis(300))
            .grant(true)
            .acquire()?;
        let engine = pins(mapped.address(0), PAGES)?;
        engine.start(1, Duration::from_millis(1))?;
        ready.send(&())?;
        never.receive(AGES)?;
        drop((lease, engine));
        Ok(())
    })?;
    is_ready.receive(AGES)?;
    std::mem::forget(_keep);
    Ok(holder)
}

/// The policy kills, the driver lets go when its file is closed.
fn killed(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let holder = holder(&mapped)?;
    let broken = passes(punch(&mapped, 8, 8)?.go()?)?;
    ensure!(
        broken.took() >= Duration::from_millis(300),
        "before the grace was over: {:?}",
        broken.took()
    );
    holder.wait_killed(AGES)?;
    none_left()
}

/// The holder is killed, but somebody else keeps the driver's file open: the
/// breaker waits for him.
fn survivor(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Block)?;
    let engine = pins(mapped.address(0), PAGES)?;
    let (ready, mut is_ready) = channel::<()>()?;
    // Both go with the closure here; there only the driver's file stays.
    let keeper = process::spawn(move || {
        drop(lease);
        ready.send(&())?;
        thread::sleep(AGES);
        drop(engine);
        Ok(())
    })?;
    is_ready.receive(AGES)?;
    let breaking = punch(&mapped, 8, 8)?.go()?;
    waits(&breaking)?;
    kill(keeper.pid(), Signal::SIGKILL)?;
    keeper.wait(AGES)?;
    passes(breaking)?;
    none_left()
}

/// Beside the lease, but in a folio that has a pinned page.
fn beside(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let punch = punch(&mapped, 17, 4)?;
    let lease = grant(&mapped, 16..17, Policy::Block)?;
    let (engine, window) = pins_pages(&mapped, 16..17)?;
    engine.write_all(5)?;
    // Only what is clean is thrown out.
    mapped.file().sync_all()?;
    let breaking = punch.go()?;
    // What write(2) made in one go is in large folios on all three filesystems.
    waits(&breaking)?;
    engine.write_all(6)?;
    mapped.file().sync_all()?;
    let mut reader = crate::support::DirectReader::open(mapped.path())?;
    let stamp = reader.stamp(16, 0)?;
    ensure!(
        stamp == crate::support::Stamp::Whole(6),
        "the disk has {stamp:?}"
    );
    drop((engine, window));
    drop(lease);
    passes(breaking)?;
    none_left()
}

/// The policy refuse waits for nobody, also when it is closed.
fn refuse(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let lease = grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let engine = pins(mapped.address(0), PAGES)?;
    let punched = |what| {
        let broken = punch(&mapped, 8, 8)?.go()?.end(AGES)?;
        errno(what, broken.result(), Errno::ETXTBSY)
    };
    punched("punch")?;
    drop(lease);
    punched("punch while it drains")?;
    drop(engine);
    none_left()?;
    passes(punch(&mapped, 8, 8)?.go()?).map(drop)
}

/// A holder would wait for itself.
fn own(context: &Context) -> TestResult {
    let mapped = file(context, PAGES)?;
    let _lease = grant(&mapped, 0..PAGES, Policy::Kill)?;
    let _engine = pins(mapped.address(0), PAGES)?;
    let result = nix::unistd::ftruncate(mapped.file(), 8 * page_size() as i64);
    errno("ftruncate", result, Errno::EDEADLK)
}
