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

/// It should not grow at all. Medians on a busy machine: a walk that looks at each lease once may not
/// be noticed by them.
const GROWTH: u32 = 20;

/// Below this, a median says little.
const SHORT: Duration = Duration::from_micros(50);

/// As [`GROWTH`], for the least of many.
const LEAST_GROWTH: u32 = 3;

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

fn punch(file: &File, page: u64) -> TestResult {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(file, flags, (page * PAGE) as i64, PAGE as i64)?)
}

/// A process that punches single pages.
struct Puncher {
    process: process::Forked,
    order: Sender<u64>,
    done: Receiver<Duration>,
}

impl Puncher {
    /// To be forked before any lease exists, so that it has no copy of one.
    fn new(file: &File) -> Result<Self> {
        let (order, mut orders) = channel::<u64>()?;
        let (say, done) = channel::<Duration>()?;
        let process = process::spawn(|| {
            while let Some(page) = orders.receive(Duration::from_secs(600))? {
                if page == u64::MAX {
                    break;
                }
                punch(file, page)?;
                say.send(&monotonic())?;
            }
            Ok(())
        })?;
        Ok(Self {
            process,
            order,
            done,
        })
    }

    fn begin(&self, page: u64) -> TestResult {
        self.order.send(&page)
    }

    /// When it was done.
    fn done(&mut self) -> Result<Duration> {
        self.done.receive(LIMIT)?.context("the breaker failed")
    }

    fn end(self) -> TestResult {
        self.order.send(&u64::MAX)?;
        self.process.join()
    }
}

/// Medians of: acquiring a lease, a breaker's way to the holder, and back; and the least that one
/// takes that meets nobody.
#[derive(Clone, Copy, Debug)]
struct Times {
    acquire: Duration,
    there: Duration,
    back: Duration,
    pass: Duration,
}

/// A file with leases of `width` pages, one beginning on each page but the last `width`, and who
/// breaks them.
struct Leased {
    mapped: Mapped,
    file: File,
    breaker: Puncher,
    count: u64,
    width: u64,
    held: Vec<Option<Lease>>,
    acquiring: Vec<Duration>,
    there: Vec<Duration>,
    back: Vec<Duration>,
    pass: Duration,
}

impl Leased {
    /// As yet without leases, so that no breaker has a copy of one.
    fn new(context: &Context, count: u64, width: u64) -> Result<Self> {
        let path = context.path(&format!("scale-{count}"));
        let mapped = Mapped::sparse(&path, count + width)?;
        let file = breakers::open(mapped.path(), 0)?;
        let breaker = Puncher::new(mapped.file())?;
        Ok(Self {
            mapped,
            file,
            breaker,
            count,
            width,
            held: Vec::new(),
            acquiring: Vec::new(),
            there: Vec::new(),
            back: Vec::new(),
            pass: Duration::MAX,
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
        self.breaker.begin(page)?;
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
        let returned = self.breaker.done()?;
        self.back.push(returned.saturating_sub(released));
        for lease in met {
            let again = acquire(device, &self.file, lease..lease + self.width)?;
            self.held[lease as usize] = Some(again);
        }
        Ok(())
    }

    /// Breaks of the last page, which nobody holds.
    fn pass_often(&mut self) -> Result<()> {
        for _ in 0..ROUNDS {
            let begin = monotonic();
            punch(&self.file, self.count + self.width - 1)?;
            self.pass = self.pass.min(monotonic().saturating_sub(begin));
        }
        Ok(())
    }

    fn end(mut self) -> Result<Times> {
        self.breaker.end()?;
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
            pass: self.pass,
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
            few.pass_often()?;
            many.pass_often()?;
        }
        let (few, many) = (few.end()?, many.end()?);
        residue::none_left()?;
        println!("{what}: {FEW} leases: {few:?}\n{what}: {MANY} leases: {many:?}");
        for (name, few, many, bound) in [
            (
                "acquiring",
                few.acquire,
                many.acquire,
                GROWTH * few.acquire.max(SHORT),
            ),
            (
                "breaking",
                few.there,
                many.there,
                GROWTH * few.there.max(SHORT),
            ),
            (
                "resuming",
                few.back,
                many.back,
                GROWTH * few.back.max(SHORT),
            ),
            ("passing", few.pass, many.pass, LEAST_GROWTH * few.pass),
        ] {
            let ratio = many.as_secs_f64() / few.as_secs_f64();
            println!("{what}, {name}: {ratio:.2} times as long with {MANY}");
            ensure!(
                many <= bound,
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
    let mut breaker = Puncher::new(mapped.file())?;
    let device = Device::open()?;
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.push(acquire(&device, &file, 0..4)?);
    }
    let begin = monotonic();
    breaker.begin(2)?;
    for lease in &held {
        let event = lease.read_event()?;
        ensure!(matches!(event.kind, EventKind::Break { .. }), "{event:?}");
    }
    let told = monotonic().saturating_sub(begin);
    drop(held);
    let returned = breaker.done()?;
    println!(
        "one breaker, {MANY} leases: all told after {told:?}, returned after {:?}",
        returned.saturating_sub(begin)
    );
    breaker.end()?;
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
