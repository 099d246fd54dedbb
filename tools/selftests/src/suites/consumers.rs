// SPDX-License-Identifier: GPL-2.0
//! Programs that know nothing of leases: refused without one as on the stock
//! kernel, and given a file's memory with one, which is then as durable as any
//! other.  Scenarios 17, 19, 20 and 21.

use std::{
    fs::OpenOptions,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _};
use nix::sys::signal::{kill, Signal};
use pinlease::Device;

use crate::{
    consumers::{
        measure, measure_with, Consumer, Launch, Measured, Running, AF_XDP, DIRECT_NVME,
        DIRECT_VIRTIO, IO_URING, RDMA_READ, RDMA_SEND, RDMA_WRITE, SAME_FILE, VFIO,
    },
    harness::{Context, Side, Test, TestResult},
    support::{
        modules, page_size, proc::wait_for, process, residue, Census, DirectReader, Fill, Mapped,
        Program, Requirement,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    table("consumers.io_uring", |cx| {
        check(cx, &IO_URING, Fill::Written)
    }),
    table("consumers.io_uring-faulted", |cx| {
        check(cx, &IO_URING, Fill::Faulted)
    }),
    table("consumers.rdma_write", |cx| {
        check(cx, &RDMA_WRITE, Fill::Written)
    }),
    table("consumers.rdma_write-faulted", |cx| {
        check(cx, &RDMA_WRITE, Fill::Faulted)
    }),
    table("consumers.rdma_read", |cx| {
        check(cx, &RDMA_READ, Fill::Written)
    }),
    table("consumers.rdma_send", |cx| {
        check(cx, &RDMA_SEND, Fill::Written)
    }),
    table("consumers.af_xdp", |cx| check(cx, &AF_XDP, Fill::Written)),
    table("consumers.vfio", |cx| check(cx, &VFIO, Fill::Written)),
    table("consumers.direct_virtio", |cx| {
        check(cx, &DIRECT_VIRTIO, Fill::Written)
    }),
    table("consumers.direct_nvme", |cx| {
        check(cx, &DIRECT_NVME, Fill::Written)
    }),
    Test::new("consumers.never-idle-io_uring", |cx| {
        never_idle(cx, &IO_URING)
    }),
    Test::new("consumers.never-idle-rdma_write", |cx| {
        never_idle(cx, &RDMA_WRITE)
    }),
    Test::new("consumers.beyond-the-lease", beyond_the_lease),
    Test::new("consumers.same-file", same_file),
    Test::new("consumers.kill-rdma_write", |cx| killed(cx, &RDMA_WRITE)),
    Test::new("consumers.kill-io_uring", |cx| killed(cx, &IO_URING)),
];

/// A line of the table: also runs on the stock kernel.
const fn table(name: &'static str, run: fn(&Context) -> TestResult) -> Test {
    Test::controlled(name, run).seconds(240)
}

/// How long a killed program's breaker may take, the grace not counted: other
/// parts of the kernel unpin when they get to it.
const TEARDOWN: Duration = Duration::from_secs(30);

/// The grace of the tests of kill, and as `pinlease run` is told it.
const GRACE: Duration = Duration::from_millis(500);
const KILL: &[&str] = &["--policy", "kill", "--grace", "500ms"];

/// One line of the table.
fn check(context: &Context, consumer: &Consumer, fill: Fill) -> TestResult {
    if context.side == Side::Stock {
        return on_stock(context, consumer, fill);
    }
    modules::ensure_pinlease(&context.modules)?;
    let plain = measure_with(context, consumer, fill, &Launch::Plain)?;
    like_stock(consumer, &plain).context("without any lease")?;
    let other = Mapped::create(&context.path("other"), 4, Fill::Faulted)?;
    let lease = Device::open()?.lease(&other).grant(true).acquire()?;
    let plain = measure_with(context, consumer, fill, &Launch::Plain)?;
    like_stock(consumer, &plain).context("beside the lease of another file")?;
    drop(lease);

    let leased = measure(context, consumer, fill)?;
    ensure!(leased.registered, "refused: {}", leased.detail);
    ensure!(leased.durable, "not durable: {}", leased.detail);
    residue::none_left()
}

/// The control: with anonymous memory all works, which proves that a refusal is
/// not for want of equipment; with a file's it does not.
fn on_stock(context: &Context, consumer: &Consumer, fill: Fill) -> TestResult {
    modules::unload_all()?;
    let mut equipment = (consumer.prepare)(context)?;
    equipment
        .with_anonymous_memory()
        .context("with anonymous memory")?;
    drop(equipment);
    like_stock(consumer, &measure(context, consumer, fill)?)
}

/// Whether a program got as much as on the stock kernel.
fn like_stock(consumer: &Consumer, measured: &Measured) -> TestResult {
    let Some(refusal) = consumer.refusal else {
        ensure!(measured.registered, "refused: {}", measured.detail);
        println!("{measured}: {}", measured.detail);
        return Ok(());
    };
    ensure!(!measured.registered, "got memory of a file");
    ensure!(
        measured.detail.contains(refusal),
        "did not say '{refusal}': {}",
        measured.detail
    );
    Ok(())
}

/// The data change while they are written back: nothing is torn, and what was
/// in memory before an fsync, or something newer, is on the disk after it.
fn never_idle(context: &Context, consumer: &Consumer) -> TestResult {
    modules::ensure_pinlease(&context.modules)?;
    let mut equipment = (consumer.prepare)(context)?;
    let pages = equipment.layout().file_pages;
    let mapped = Mapped::create(&context.path("never-idle"), pages, Fill::Written)?;
    let launch = Launch::leased(context, &[]);
    let mut running = match Running::start(&mut *equipment, &mapped, &launch)? {
        Ok(running) => running,
        Err(refusal) => bail!("refused: {refusal}"),
    };
    let publisher = process::spawn(|| running.publish_on())?;
    let mut found = Census::default();
    for _ in 0..context.rounds {
        found.add(running.while_written()?);
    }
    kill(publisher.pid(), Signal::SIGKILL)?;
    publisher.wait(TEARDOWN)?;
    let last = running.oldest_in_memory();
    println!("{found}, {last} generations");
    found.all_kept()?;
    ensure!(last > 2, "the device was idle: generation {last}");
    drop(running);
    drop(equipment);
    residue::none_left()
}

/// A mapping that is longer than the lease is refused, if only by a page.
fn beyond_the_lease(context: &Context) -> TestResult {
    modules::ensure_pinlease(&context.modules)?;
    let mut equipment = (IO_URING.prepare)(context)?;
    let pages = equipment.layout().file_pages - 1;
    let mapped = Mapped::create(&context.path("short"), pages, Fill::Written)?;
    match Running::start(&mut *equipment, &mapped, &Launch::leased(context, &[]))? {
        Ok(_) => bail!("got memory that is not leased as a whole"),
        Err(refusal) => ensure!(refusal.text.contains("Bad address"), "{refusal}"),
    }
    residue::none_left()
}

/// Registered buffers in the file that is read with O_DIRECT, during fsync: no
/// deadlock, and nothing changes.
fn same_file(context: &Context) -> TestResult {
    modules::ensure_pinlease(&context.modules)?;
    let equipment = (SAME_FILE.prepare)(context)?;
    let layout = equipment.layout();
    let mapped = Mapped::create(&context.path("same-file"), layout.file_pages, Fill::Written)?;
    let launch = Launch::leased(context, &[]);
    let command = equipment.command(mapped.path());
    let mut fio = Program::start(&mut launch.apply(command, mapped.path()))?;
    let registered = || {
        ensure!(!fio.has_ended()?, "the program ended");
        Ok(residue::all_leases()?
            .iter()
            .any(|lease| lease.granted_bytes > 0))
    };
    let waited = wait_for("the buffer is registered", TEARDOWN, registered);
    if waited.is_err() && fio.has_ended()? {
        let (status, text) = fio.everything(TEARDOWN)?;
        bail!("{status}: {text}");
    }
    waited?;
    for _ in 0..context.rounds {
        mapped.file().sync_all().context("fsync")?;
    }
    ensure!(!fio.has_ended()?, "the program ended");
    drop(fio);
    let mut disk = DirectReader::open(mapped.path())?;
    disk.census(layout.file_pages, Requirement::Exactly(0))?
        .all_kept()?;
    residue::none_left()
}

/// A program that knows of no lease cannot answer a break: it is killed when
/// its grace is over, and then the breaker passes.
fn killed(context: &Context, consumer: &Consumer) -> TestResult {
    modules::ensure_pinlease(&context.modules)?;
    let mut equipment = (consumer.prepare)(context)?;
    let path = context.path("killed");
    let mapped = Mapped::create(&path, equipment.layout().file_pages, Fill::Written)?;
    let launch = Launch::leased(context, KILL);
    let running = match Running::start(&mut *equipment, &mapped, &launch)? {
        Ok(running) => running,
        Err(refusal) => bail!("refused: {refusal}"),
    };

    // Another process, for the holder's own would be refused.
    let begin = Instant::now();
    let breaker = process::spawn(|| {
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(page_size() as u64).context("truncate")
    })?;
    breaker.wait(GRACE + TEARDOWN)?;
    let took = begin.elapsed();
    ensure!(took >= GRACE, "truncated after {took:?}, within the grace");
    let signal = running.killed()?;
    ensure!(signal == Signal::SIGKILL as i32, "ended by signal {signal}");
    ensure!(
        mapped.file().metadata()?.len() == page_size() as u64,
        "the file was not truncated"
    );
    println!("truncated after {took:?}");
    // The peer has memory of its own pinned.
    drop(equipment);
    residue::none_left()
}
