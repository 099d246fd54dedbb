// SPDX-License-Identifier: GPL-2.0
//! The whole story: A leases a range and pins it, a device writes; B truncates;
//! A gets SIGIO, does nothing, and is killed; its pins are gone, B's truncate
//! returns.

use std::{
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::sys::signal::Signal;
use pinlease::{Device, PinOptions, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, Sender},
        page_size, process, residue, Breaking, Engine, Fill, Mapped, Signals,
    },
};

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 64;
const GRACE: Duration = Duration::from_millis(500);

/// From the end of the grace to B's return.
const DELAY: Duration = Duration::from_millis(250);

/// The machine may be busy with something else.
const TRIES: u32 = 3;

const LIMIT: Duration = Duration::from_secs(20);

/// What A tells: first its lease's descriptor, then the one that SIGIO names.
type Said = i32;

/// The best of some tries is fast enough.
pub fn flow(context: &Context) -> TestResult {
    context.load_modules()?;
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let took = once(context)?;
        println!("grace {GRACE:?}, truncate returned after {took:?}");
        ensure!(
            took + Duration::from_millis(20) >= GRACE,
            "the truncate did not wait for the grace: {took:?}"
        );
        best = best.min(took);
        if best <= GRACE + DELAY {
            return residue::none_left();
        }
    }
    anyhow::bail!("the truncate took {best:?} with a grace of {GRACE:?}")
}

/// How long B waits.
fn once(context: &Context) -> Result<Duration> {
    let mapped = Mapped::create(&context.path("flow"), PAGES, Fill::Written)?;
    let (sender, mut said) = channel::<Said>()?;
    let holder = process::spawn(|| hold(&mapped, &sender))?;
    let fd = said.receive(LIMIT)?.context("A has no lease")?;

    let cut = PAGES * PAGE / 2;
    let breaking = Breaking::truncate(mapped.path(), cut)?;
    let from = said.receive(LIMIT)?.context("A got no SIGIO")?;
    ensure!(
        from == fd,
        "SIGIO says descriptor {from}, the lease is {fd}"
    );
    let broken = breaking.end(LIMIT)?;
    let pins: u64 = residue::all_leases()?.iter().map(|lease| lease.pins).sum();
    broken.result().context("truncate")?;
    holder.wait_killed(LIMIT).context("A")?;
    ensure!(pins == 0, "{pins} pins are left when truncate returns");
    ensure!(
        mapped.file().metadata()?.len() == cut,
        "the file is not cut"
    );
    Ok(broken.took())
}

/// What A does: after SIGIO, nothing.
fn hold(mapped: &Mapped, said: &Sender<Said>) -> TestResult {
    let signals = Signals::new(&[libc::SIGIO])?;
    let lease = Device::open()?
        .lease(mapped)
        .policy(Policy::Kill)
        .grace(GRACE)
        .acquire()?;
    lease.notify_by_signal(Some(Signal::SIGIO))?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
    let engine = Engine::open()?;
    engine.attach(&lease, pin.id())?;
    engine.start(1, Duration::from_millis(1))?;
    engine.wait_passes(2)?;
    said.send(&lease.as_fd().as_raw_fd())?;
    let signal = signals.next(LIMIT)?;
    engine.wait_passes(1)?;
    said.send(&signal.ssi_fd)?;
    loop {
        std::thread::sleep(LIMIT);
    }
}
