// SPDX-License-Identifier: GPL-2.0
//! Who may make whom wait for how long; and no window.

use std::{os::unix::fs::fchown, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{errno::Errno, unistd::truncate};
use pinlease::{AcquireError, Device, Policy};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        expect::{errno, success},
        modules::Parameterised,
        page_size, process, residue,
        sysctl::Sysctl,
        Act, Breaking, Fill, Handler, HolderPlan, Kind, Mapped,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.limits-grace", graces),
    Test::new("breaks.limits-block", block),
    Test::new("breaks.limits-window", window),
    Test::new("breaks.limits-withdrawn", withdrawn),
];

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 24;
const LIMIT: Duration = Duration::from_secs(15);
const AGES: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_millis(250);
const WHILE: Duration = Duration::from_millis(120);

/// The administrator's maximum of these tests.
const MAXIMUM: Duration = Duration::from_millis(800);

fn strict(context: &Context) -> Result<Parameterised> {
    Parameterised::load(&context.modules, c"grace_max_ms=800")
}

fn nobodys(context: &Context) -> Result<Mapped> {
    let mapped = Mapped::create(&context.path("limits"), PAGES, Fill::Faulted)?;
    let nobody = Some(process::NOBODY);
    fchown(mapped.file(), nobody, nobody)?;
    Ok(mapped)
}

/// Only the administrator gets a longer grace than he allows.
fn graces(context: &Context) -> TestResult {
    let modules = strict(context)?;
    let mapped = nobodys(context)?;
    let device = Device::open()?;
    let acquire = |grace| grace_of(&device, &mapped, grace);
    let longer = MAXIMUM + Duration::from_millis(1);
    ensure!(success("root", acquire(longer))? == longer, "root's grace");
    process::as_nobody(|| {
        errno("nobody, longer", acquire(longer), Errno::EPERM)?;
        let grace = success("nobody", acquire(MAXIMUM))?;
        ensure!(grace == MAXIMUM, "nobody's grace is {grace:?}");
        let grace = success("nobody, default", acquire(Duration::ZERO))?;
        ensure!(grace == MAXIMUM, "nobody's default grace is {grace:?}");
        Ok(())
    })?;
    // The default is fs.lease-break-time where that is less.
    drop(device);
    drop(modules);
    context.load_modules()?;
    let _sysctl = Sysctl::set("fs.lease-break-time", 3)?;
    let grace = success(
        "default",
        grace_of(&Device::open()?, &mapped, Duration::ZERO),
    )?;
    ensure!(grace == Duration::from_secs(3), "default grace {grace:?}");
    Ok(())
}

/// Acquires a lease and tells its grace.
fn grace_of(device: &Device, mapped: &Mapped, grace: Duration) -> nix::Result<Duration> {
    let lease = device.lease(mapped).policy(Policy::Revoke).grace(grace);
    let lease = lease.acquire().map_err(AcquireError::errno)?;
    Ok(lease.query().map_err(|_| Errno::EIO)?.grace)
}

/// An unprivileged holder cannot make another user wait for ever, its own it
/// can.
fn block(context: &Context) -> TestResult {
    let modules = strict(context)?;
    let mapped = nobodys(context)?;
    let holder = HolderPlan::new(8..16, Policy::Block, AGES)
        .idle()
        .nobody()
        .start(&mapped);
    // Block has no grace: any is allowed, or only one within the maximum.
    let holder = match holder {
        Ok(holder) => holder,
        Err(_) => HolderPlan::new(8..16, Policy::Block, Duration::ZERO)
            .idle()
            .nobody()
            .start(&mapped)?,
    };
    let cut = |path: &std::path::Path| truncate(path, 0);
    let roots = Breaking::begin(Handler::Interrupts, || cut(mapped.path()))?;
    let broken = roots.end(LIMIT)?;
    errno("root's truncate", broken.result(), Errno::EBUSY)?;
    ensure!(
        broken.took() >= MAXIMUM && broken.took() < 3 * MAXIMUM + LIMIT / 5,
        "gave up after {:?}",
        broken.took()
    );
    let own = Breaking::begin(Handler::Interrupts, || {
        process::become_nobody().map_err(|_| Errno::EPERM)?;
        cut(mapped.path())
    })?;
    ensure!(
        !own.has_ended(3 * MAXIMUM)?,
        "a breaker of the holder's user gave up"
    );
    holder.end()?;
    own.end(LIMIT)?.result()?;

    // The administrator makes everybody wait.
    let mapped = nobodys(context)?;
    let holder = HolderPlan::new(8..16, Policy::Block, AGES)
        .idle()
        .start(&mapped)?;
    let theirs = Breaking::begin(Handler::Interrupts, || {
        process::become_nobody().map_err(|_| Errno::EPERM)?;
        cut(mapped.path())
    })?;
    ensure!(
        !theirs.has_ended(3 * MAXIMUM)?,
        "a breaker of root's lease gave up"
    );
    holder.end()?;
    theirs.end(LIMIT)?.result()?;
    residue::none_left()?;
    drop(modules);
    Ok(())
}

/// While a breaker waits, nothing new comes into its way.
fn window(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("limits"), PAGES, Fill::Faulted)?;
    let mut holder = HolderPlan::new(4..16, Policy::Block, AGES)
        .pin(Some(4..6))
        .start(&mapped)?;
    let breaking = Breaking::begin(Handler::Interrupts, || {
        truncate(mapped.path(), 8 * PAGE as i64)
    })?;
    holder.wait_break()?;
    let device = Device::open()?;
    let acquire = |first: u64, pages: u64| {
        let lease = device.lease(&mapped).range(first * PAGE, pages * PAGE);
        let lease = lease.policy(Policy::Refuse).acquire();
        lease.map(drop).map_err(AcquireError::errno)
    };
    errno("ACQUIRE in its way", acquire(10, 2), Errno::EAGAIN)?;
    errno("ACQUIRE of its end", acquire(6, 3), Errno::EAGAIN)?;
    success("ACQUIRE beside it", acquire(0, 8))?;
    let pin = |holder: &mut crate::support::Holder, pages| {
        holder.act(&Act::Pin(pages)).map(|done| done.result())
    };
    errno("PIN in its way", pin(&mut holder, 8..9)?, Errno::EAGAIN)?;
    errno("PIN of its end", pin(&mut holder, 7..9)?, Errno::EAGAIN)?;
    let query = holder.act(&Act::Query)?;
    ensure!(query.pins == 1, "a failed pin is counted: {query:?}");
    ensure!(
        !breaking.has_ended(WHILE)?,
        "the breaker does not wait any more"
    );
    holder.act(&Act::Shrink(4..8))?.result().context("SHRINK")?;
    breaking.end(LIMIT)?.result()?;
    // Out of its way, all is as before.
    success("PIN of what is left", pin(&mut holder, 6..8)?)?;
    success("ACQUIRE afterwards", acquire(0, 4))?;
    holder.end()?;
    residue::none_left()
}

/// What is withdrawn is good for nothing, and harmless.
fn withdrawn(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("limits"), PAGES, Fill::Faulted)?;
    let mut holder = HolderPlan::new(4..16, Policy::Revoke, GRACE).start(&mapped)?;
    let breaking = Breaking::begin(Handler::Interrupts, || {
        truncate(mapped.path(), 8 * PAGE as i64)
    })?;
    breaking.end(LIMIT)?.result()?;
    holder.wait_event(LIMIT, |event| event.kind == Kind::Withdrawn)?;
    // Twice: the first try must not change anything.
    for _ in 0..2 {
        for act in [Act::Pin(4..6), Act::Shrink(4..8), Act::Mark(4..5)] {
            let what = format!("{act:?}");
            errno(&what, holder.act(&act)?.result(), Errno::ENODEV)?;
        }
        let query = holder.act(&Act::Query)?;
        success("QUERY", query.result())?;
        ensure!(
            query.state == "withdrawn" && query.pins == 0 && query.device == "Revoked",
            "{query:?}"
        );
    }
    errno("UNPIN", holder.act(&Act::Unpin)?.result(), Errno::ENODEV)?;
    // It is in nobody's way, and another one can be had.
    truncate(mapped.path(), 6 * PAGE as i64).context("a second truncate")?;
    success("ACQUIRE", holder.act(&Act::Acquire(0..6))?.result())?;
    let ended = holder.end()?;
    let words: Vec<_> = ended.events.iter().map(|event| event.kind.word()).collect();
    ensure!(words == ["break", "withdrawn"], "{words:?}");
    residue::none_left()
}
