// SPDX-License-Identifier: GPL-2.0
//! Users who make very many of their tasks wait for leases.

use std::{thread, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::Signal,
    unistd::{ftruncate, setresuid, Uid},
};
use pinlease::{Device, EventKind, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, Receiver},
        expect::errno,
        modules::Parameterised,
        page_size,
        process::{self, Tied},
        residue, Breaking, Fill, Handler, HolderPlan, Kind, Mapped,
    },
};

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(15);
const AGES: Duration = Duration::from_secs(60);
const WHILE: Duration = Duration::from_millis(200);

/// Breakers of one user that may wait at a time, here.
const ALLOWED: usize = 3;

/// Cuts the file as somebody else.
fn cut(mapped: &Mapped, user: Option<u32>) -> Result<Breaking> {
    Breaking::begin(Handler::Interrupts, || {
        if let Some(user) = user {
            let user = Uid::from_raw(user);
            setresuid(user, user, user)?;
        }
        // Unlike set_len(), it returns when it is interrupted.
        ftruncate(mapped.file(), PAGE as i64)
    })
}

/// Only so many of one user wait; the next one is refused, and no other user.
pub fn waiting(context: &Context) -> TestResult {
    let modules = Parameterised::load(&context.modules, c"breakers_per_user=3")?;
    let mapped = Mapped::create(&context.path("waiting"), PAGES, Fill::Faulted)?;
    let mut holder = HolderPlan::new(0..PAGES, Policy::Block, AGES)
        .idle()
        .start(&mapped)?;
    let nobody = Some(process::NOBODY);
    let mut breakers = Vec::new();
    for number in 0..ALLOWED {
        let breaker = cut(&mapped, nobody)?;
        ensure!(!breaker.has_ended(WHILE)?, "breaker {number} does not wait");
        breakers.push(breaker);
    }
    let refused = cut(&mapped, nobody)?.end(LIMIT)?.result();
    errno("one too many", refused, Errno::ETXTBSY)?;
    holder.wait_event(LIMIT, |event| event.kind == Kind::Refused)?;

    for (who, user) in [("another user", Some(process::NOBODY - 1)), ("root", None)] {
        let breaker = cut(&mapped, user)?;
        ensure!(!breaker.has_ended(WHILE)?, "{who} does not wait");
        breakers.push(breaker);
    }

    let gone = breakers.remove(0);
    gone.signal(Signal::SIGUSR1)?;
    errno("interrupted", gone.end(LIMIT)?.result(), Errno::EINTR)?;
    let breaker = cut(&mapped, nobody)?;
    ensure!(!breaker.has_ended(WHILE)?, "its place is not free again");
    breakers.push(breaker);

    holder.end()?;
    for breaker in breakers {
        breaker.end(LIMIT)?.result().context("a breaker at last")?;
    }
    residue::none_left()?;
    drop(modules);
    Ok(())
}

/// Holders, fewer than are looked at, and threads of each process that breaks
/// their leases.
const HOLDERS: usize = 50;
const THREADS: usize = 100;

/// How much longer than without a crowd it may take until a holder is told of a
/// breaker.
const GROWTH: u32 = 20;

/// Whether a circle is closed is found out in no time, however many wait for each
/// other.
pub fn circles(context: &Context) -> TestResult {
    context.load_modules()?;
    let lone = Mapped::create(&context.path("lone"), PAGES, Fill::Faulted)?;
    let crowded = Mapped::create(&context.path("crowded"), PAGES, Fill::Faulted)?;
    let mut holders = Vec::new();
    for _ in 0..HOLDERS {
        let plan = HolderPlan::new(0..PAGES, Policy::Block, AGES).pin(None);
        holders.push(plan.start(&crowded)?);
    }
    let alone = Crowd::new(&lone, &crowded, 0)?.time_to_tell(&lone)?;
    // A holder whose threads wait for all of them, and others who do, too.
    let other = Mapped::create(&context.path("other"), PAGES, Fill::Faulted)?;
    let _others = Crowd::new(&other, &crowded, THREADS)?;
    let mut middle = Crowd::new(&lone, &crowded, THREADS)?;
    let among = middle.time_to_tell(&lone)?;
    println!("a holder is told after {alone:?}, in the middle of a crowd after {among:?}");
    ensure!(
        among <= GROWTH * alone.max(Duration::from_micros(500)),
        "{alone:?} alone, {among:?} where {THREADS} threads wait for {HOLDERS} holders, twice"
    );
    Ok(())
}

/// A holder that also has many threads, which wait for the leases of another file;
/// dropping it kills it.
struct Crowd {
    _process: Tied,
    /// Who broke its lease, and when it was told.
    told: Receiver<(i32, Duration)>,
}

impl Crowd {
    fn new(leased: &Mapped, crowded: &Mapped, threads: usize) -> Result<Self> {
        let (tell, mut told) = channel::<(i32, Duration)>()?;
        let process = Tied::spawn(move || {
            let device = Device::open()?;
            let lease = device.lease(leased).policy(Policy::Block).acquire()?;
            for _ in 0..threads {
                let file = crowded.file().try_clone()?;
                thread::spawn(move || file.set_len(PAGE));
            }
            tell.send(&(0, Duration::ZERO))?;
            loop {
                let event = lease.read_event()?;
                if let (EventKind::Break { .. }, Some(pid)) = (event.kind, event.pid) {
                    tell.send(&(pid, event.time))?;
                }
            }
        })?;
        told.receive(LIMIT)?.context("a crowd")?;
        // Until all of them wait.
        thread::sleep(Duration::from_secs(3));
        Ok(Self {
            _process: process,
            told,
        })
    }

    /// From when a breaker begins until it is told; the least of a few times.
    fn time_to_tell(&mut self, mapped: &Mapped) -> Result<Duration> {
        let mut least = Duration::MAX;
        for _ in 0..5 {
            let breaking = cut(mapped, None)?;
            let (pid, told) = self.told.receive(LIMIT)?.context("the holder is gone")?;
            ensure!(pid == breaking.pid().as_raw(), "{pid} broke");
            breaking.signal(Signal::SIGUSR1)?;
            let begin = breaking.end(LIMIT)?.begin;
            least = least.min(told.saturating_sub(begin));
        }
        Ok(least)
    }
}
