// SPDX-License-Identifier: GPL-2.0
//! Holders with io_uring's registered buffers that die at a random moment, and
//! a truncate that comes just then.  io_uring takes its buffers apart after the
//! process is gone.

use std::{
    fs::{File, OpenOptions},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context as _, Result};
use io_uring::{opcode, types, IoUring};
use nix::sys::signal::{kill, Signal};
use pinlease::{Device, Policy};

use super::{AGES, PAGE};
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        channel::{channel, Sender},
        process,
        residue::none_left,
        Breaking, Fill, Mapped,
    },
};

pub const TESTS: &[Test] = &[
    Test::new("grants.uring", uring),
    Test::new("grants.uring-killed", killed).seconds(3600),
];

const PAGES: u64 = 64;

/// A breaker that waits for longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Where reads come from, past the page cache.
fn source(path: &Path, generation: u64) -> Result<File> {
    let mapped = Mapped::create(path, PAGES, Fill::Written)?;
    mapped.stamp_by_cpu(generation);
    mapped.file().sync_all()?;
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(libc::O_DIRECT).open(path);
    opened.context("opening the source")
}

/// A ring with all of the mapping as its buffer 0.
fn ring(mapped: &Mapped) -> Result<IoUring> {
    let ring = IoUring::new(8)?;
    let buffers = [libc::iovec {
        iov_base: mapped.address(0).cast(),
        iov_len: mapped.length(),
    }];
    // SAFETY: the mapping outlives the ring, or the process does not.
    unsafe { ring.submitter().register_buffers(&buffers) }.context("registering buffers")?;
    Ok(ring)
}

/// Reads the source into the buffer.
fn read(ring: &mut IoUring, mapped: &Mapped, source: &File) -> Result<()> {
    let entry = opcode::ReadFixed::new(
        types::Fd(source.as_raw_fd()),
        mapped.address(0),
        mapped.length() as u32,
        0,
    );
    // SAFETY: the buffer is registered, and outlives the request.
    unsafe { ring.submission().push(&entry.build()) }?;
    ring.submit_and_wait(1)?;
    let completed = ring.completion().next().context("no completion")?.result();
    ensure!(completed as usize == mapped.length(), "read {completed}");
    Ok(())
}

/// READ_FIXED never marks a page dirty: what it read is durable all the same,
/// while the buffer stays registered, and not without a lease.
fn uring(context: &Context) -> TestResult {
    let mapped = super::file(context, PAGES)?;
    let refused = ring(&mapped).err().context("registered without a lease")?;
    println!("without a lease: {refused:#}");
    let errno = refused.downcast_ref::<std::io::Error>();
    ensure!(
        errno.and_then(std::io::Error::raw_os_error) == Some(libc::EFAULT),
        "not EFAULT: {refused:#}"
    );
    let lease = super::grant(&mapped, 0..PAGES, Policy::Refuse)?;
    let mut ring = ring(&mapped)?;
    for generation in 1..4 {
        let source = source(&context.path("source"), generation)?;
        read(&mut ring, &mapped, &source)?;
        mapped.file().sync_all()?;
        let requirement = crate::support::Requirement::Exactly(generation);
        crate::support::DirectReader::open(mapped.path())?
            .census(PAGES, requirement)?
            .all_kept()?;
    }
    drop(ring);
    drop(lease);
    none_left()
}

/// The victim: reads until it is killed.
fn victim(mapped: &Mapped, source: &File, ready: &Sender<()>) -> Result<()> {
    let _lease = Device::open()?
        .lease(mapped)
        .policy(Policy::Kill)
        .grace(Duration::from_millis(40))
        .grant(true)
        .acquire()?;
    ready.send(&())?;
    let mut ring = ring(mapped)?;
    loop {
        read(&mut ring, mapped, source)?;
    }
}

fn killed(context: &Context) -> TestResult {
    context.load_modules()?;
    let seed = context.seed();
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let source = source(&context.path("source"), 1)?;
    let mapped = Mapped::sparse(&context.path("grants"), PAGES)?;
    let mut longest = Duration::ZERO;
    for round in 0..context.kills {
        let (ready, mut is_ready) = channel::<()>()?;
        let (mapped, source) = (&mapped, &source);
        let holder = process::spawn(move || victim(mapped, source, &ready))?;
        if is_ready.receive(AGES)?.is_none() {
            bail!("round {round}: the victim did not begin");
        }
        thread::sleep(Duration::from_micros(random.u64(0..30_000)));
        let breaking = Breaking::truncate(mapped.path(), 0)?;
        thread::sleep(Duration::from_micros(random.u64(0..60_000)));
        kill(holder.pid(), Signal::SIGKILL)?;
        let begin = Instant::now();
        let again = || format!("round {round}, seed {seed}");
        breaking.end(LIMIT)?.result().with_context(again)?;
        longest = longest.max(begin.elapsed());
        holder.wait(LIMIT).with_context(again)?;
        mapped.file().set_len(PAGES * PAGE)?;
        none_left().with_context(again)?;
    }
    println!(
        "{} rounds; from the kill to the truncate at most {longest:?}",
        context.kills
    );
    Ok(())
}
