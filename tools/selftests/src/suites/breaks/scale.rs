// SPDX-License-Identifier: GPL-2.0
//! Many leases: what one costs does not depend on the others.

use std::{fs::File, ops::Range, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
    sys::resource::{setrlimit, Resource},
};
use pinlease::{monotonic, Device, EventKind, Lease, Policy};

use crate::{
    harness::{Context, Test, TestResult},
    support::{
        breakers,
        channel::{channel, Receiver, Sender},
        modules::Parameterised,
        page_size,
        proc::leases,
        process, residue, Mapped,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.scale-file", one_file).seconds(300),
    Test::new("breaks.scale-all", all).seconds(300),
];

const PAGE: u64 = page_size() as u64;
const LIMIT: Duration = Duration::from_secs(30);

/// Few and many leases of one file, with more between them than [`GROWTH`].
const FEW: u64 = 100;
const MANY: u64 = 10_000;

/// Leases in all, on so many files.
const ALL: u64 = 100_000;
const FILES: u64 = 10;

/// Breaks of which the median counts.
const ROUNDS: u64 = 15;

/// It should not grow at all. A walk that looks at each lease once costs less than this even with
/// [`MANY`], and is not noticed.
const GROWTH: u32 = 20;

fn prepare(context: &Context) -> Result<Parameterised> {
    let modules = Parameterised::load(&context.modules, c"leases_per_user=200000")?;
    let files = ALL + 1024;
    setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
    Ok(modules)
}

fn acquire(device: &Device, file: &File, pages: Range<u64>) -> Result<Lease> {
    Ok(device
        .lease(file)
        .range(pages.start * PAGE, (pages.end - pages.start) * PAGE)
        .policy(Policy::Block)
        .acquire()?)
}

/// What the breaking process is told, and tells: the page, and when it is done.
type Order = u64;

/// Punches single pages as it is told; forked before any lease exists, so that
/// it has no copy of one.
fn puncher(file: &File, mut orders: Receiver<Order>, done: &Sender<Duration>) -> TestResult {
    while let Some(page) = orders.receive(Duration::from_secs(600))? {
        if page == Order::MAX {
            break;
        }
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(file, flags, (page * PAGE) as i64, PAGE as i64)?;
        done.send(&monotonic())?;
    }
    Ok(())
}

/// Medians of: acquiring a lease, a breaker's way to the holder, and back.
#[derive(Clone, Copy, Debug)]
struct Times {
    acquire: Duration,
    there: Duration,
    back: Duration,
}

/// A file with leases of `width` pages, one beginning on each page, and who breaks them.
struct Leased {
    mapped: Mapped,
    file: File,
    breaker: process::Forked,
    order: Sender<Order>,
    done: Receiver<Duration>,
    count: u64,
    width: u64,
    held: Vec<Option<Lease>>,
    acquiring: Vec<Duration>,
    there: Vec<Duration>,
    back: Vec<Duration>,
}

impl Leased {
    /// As yet without leases, so that no breaker has a copy of one.
    fn new(context: &Context, count: u64, width: u64) -> Result<Self> {
        let path = context.path(&format!("scale-{count}"));
        let mapped = Mapped::sparse(&path, count + width)?;
        let file = breakers::open(mapped.path(), 0)?;
        let (order, orders) = channel::<Order>()?;
        let (say, done) = channel::<Duration>()?;
        let breaker = process::spawn(|| puncher(mapped.file(), orders, &say))?;
        Ok(Self {
            mapped,
            file,
            breaker,
            order,
            done,
            count,
            width,
            held: Vec::new(),
            acquiring: Vec::new(),
            there: Vec::new(),
            back: Vec::new(),
        })
    }

    fn acquire_all(&mut self, device: &Device) -> Result<()> {
        for page in 0..self.count {
            let begin = monotonic();
            let lease = acquire(device, &self.file, page..page + self.width)?;
            self.acquiring.push(monotonic().saturating_sub(begin));
            self.held.push(Some(lease));
        }
        let all: Duration = self.acquiring.iter().sum();
        println!("acquiring {}: {all:?}", self.count);
        let lines = leases(&self.mapped)?;
        ensure!(lines.len() == 1, "/proc/locks: {} lines", lines.len());
        Ok(())
    }

    /// A break, somewhere else each time.
    fn break_once(&mut self, device: &Device, round: u64) -> Result<()> {
        let page = self.width + round * (self.count - 2 * self.width) / ROUNDS;
        let begin = monotonic();
        self.order.send(&page)?;
        let met = page + 1 - self.width..page + 1;
        for lease in met.clone() {
            let lease = self.held[lease as usize]
                .as_ref()
                .context("closed already")?;
            let event = lease.read_event()?;
            ensure!(matches!(event.kind, EventKind::Break { .. }), "{event:?}");
            self.there.push(event.time.saturating_sub(begin));
        }
        let mut released = Duration::ZERO;
        for lease in met.clone() {
            released = monotonic();
            self.held[lease as usize] = None;
        }
        let returned = self.done.receive(LIMIT)?.context("the breaker failed")?;
        self.back.push(returned.saturating_sub(released));
        for lease in met {
            let again = acquire(device, &self.file, lease..lease + self.width)?;
            self.held[lease as usize] = Some(again);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Times> {
        self.order.send(&Order::MAX)?;
        self.breaker.join()?;
        let begin = monotonic();
        drop(self.held);
        println!(
            "ending {}: {:?}",
            self.count,
            monotonic().saturating_sub(begin)
        );
        let last = self.acquiring.len() - FEW as usize / 2;
        Ok(Times {
            acquire: median(self.acquiring.split_off(last)),
            there: median(self.there),
            back: median(self.back),
        })
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Few and many leases on one file, disjoint and overlapping, with breaks by turns: what else the
/// machine does is in both.
fn one_file(context: &Context) -> TestResult {
    let modules = prepare(context)?;
    let device = Device::open()?;
    for (what, width) in [("disjoint", 1), ("overlapping", 4)] {
        let mut few = Leased::new(context, FEW, width)?;
        let mut many = Leased::new(context, MANY, width)?;
        few.acquire_all(&device)?;
        many.acquire_all(&device)?;
        for round in 0..ROUNDS {
            few.break_once(&device, round)?;
            many.break_once(&device, round)?;
        }
        let (few, many) = (few.end()?, many.end()?);
        residue::none_left()?;
        println!("{what}: {FEW} leases: {few:?}\n{what}: {MANY} leases: {many:?}");
        for (name, few, many) in [
            ("acquiring", few.acquire, many.acquire),
            ("breaking", few.there, many.there),
            ("resuming", few.back, many.back),
        ] {
            let ratio = many.as_secs_f64() / few.as_secs_f64();
            println!("{what}, {name}: {ratio:.2} times as long with {MANY}");
            ensure!(
                many <= GROWTH * few.max(Duration::from_micros(50)),
                "{what}, {name}: {few:?} with {FEW} leases, {many:?} with {MANY}"
            );
        }
    }
    drop(device);
    everyone(context)?;
    drop(modules);
    Ok(())
}

/// One breaker that meets all of them.
fn everyone(context: &Context) -> TestResult {
    let mapped = Mapped::sparse(&context.path("scale"), 4)?;
    let file = breakers::open(mapped.path(), 0)?;
    let (order, orders) = channel::<Order>()?;
    let (say, mut done) = channel::<Duration>()?;
    let breaker = process::spawn(|| puncher(mapped.file(), orders, &say))?;
    let device = Device::open()?;
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(acquire(&device, &file, 0..4)?);
    }
    let begin = monotonic();
    order.send(&2)?;
    for lease in &held {
        let event = lease.read_event()?;
        ensure!(matches!(event.kind, EventKind::Break { .. }), "{event:?}");
    }
    let told = monotonic().saturating_sub(begin);
    drop(held);
    let returned = done.receive(LIMIT)?.context("the breaker failed")?;
    println!(
        "one breaker, {MANY} leases: all told after {told:?}, returned after {:?}",
        returned.saturating_sub(begin)
    );
    order.send(&Order::MAX)?;
    breaker.join()?;
    residue::none_left()
}

/// 100,000 leases in all, and the list of them.
fn all(context: &Context) -> TestResult {
    let modules = prepare(context)?;
    let device = Device::open()?;
    let mut files = Vec::new();
    for number in 0..FILES {
        let path = context.path(&format!("scale-{number}"));
        files.push(Mapped::sparse(&path, ALL / FILES)?);
    }
    let mut held = Vec::new();
    let (mut first, mut last) = (Duration::ZERO, Duration::ZERO);
    for page in 0..ALL / FILES {
        let begin = monotonic();
        for mapped in &files {
            held.push(acquire(&device, mapped.file(), page..page + 1)?);
        }
        let took = monotonic().saturating_sub(begin);
        if page < 100 {
            first += took;
        } else if page + 100 >= ALL / FILES {
            last += took;
        }
    }
    println!("of {ALL} leases, the first thousand took {first:?}, the last {last:?}");
    ensure!(
        last <= GROWTH * first,
        "acquiring grew from {first:?} to {last:?}"
    );

    let begin = monotonic();
    let listed = residue::all_leases()?;
    println!("listing them took {:?}", monotonic().saturating_sub(begin));
    ensure!(listed.len() as u64 == ALL, "{} are listed", listed.len());
    ensure!(
        listed.windows(2).all(|pair| pair[0].id < pair[1].id),
        "the list is not in order"
    );
    let inodes: std::collections::BTreeSet<u64> = listed.iter().map(|lease| lease.inode).collect();
    ensure!(inodes.len() as u64 == FILES, "of {} files", inodes.len());
    let me = std::process::id() as i32;
    ensure!(
        listed.iter().all(|lease| lease.pid == Some(me)),
        "of other processes"
    );
    for mapped in &files {
        let lines = leases(mapped)?;
        ensure!(lines.len() == 1, "/proc/locks: {} lines", lines.len());
    }
    let begin = monotonic();
    drop(held);
    residue::none_left()?;
    println!("ending them took {:?}", monotonic().saturating_sub(begin));
    // What is unleased can be cut at once.
    for mapped in &files {
        let result = mapped.file().set_len(0);
        ensure!(result.is_ok(), "truncate: {:?}", Errno::last());
    }
    drop(device);
    drop(modules);
    Ok(())
}
