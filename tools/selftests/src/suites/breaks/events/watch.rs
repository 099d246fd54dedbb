// SPDX-License-Identifier: GPL-2.0
//! Who watches sees other processes' leases.

use std::{
    os::{fd::AsFd, unix::fs::fchown},
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, Event, EventKind, Operation, Policy, ReadError, Watch};

use super::{CUT, LEASED, LIMIT, OFFSET, PAGE, PAGES};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, readable},
        expect::{errno, from_io},
        process, Breaking, Fill, Handler, HolderPlan, Mapped, Seen,
    },
};

const GRACE: Duration = Duration::from_millis(150);

fn next(watch: &Watch) -> Result<Event> {
    ensure!(readable(watch.as_fd(), LIMIT)?, "no event on the watch");
    watch.read_event().context("reading the watch")
}

fn plan(policy: Policy) -> HolderPlan {
    let (first, end) = (OFFSET / PAGE, OFFSET / PAGE + LEASED);
    HolderPlan::new(first..end, policy, GRACE).idle()
}

/// The whole life of leases, from outside.
pub fn everything(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("watch"), PAGES, Fill::Faulted)?;
    let watch = Device::open()?.watch()?;
    watch.set_nonblocking(true)?;
    ensure!(
        watch.read_event() == Err(ReadError::WouldBlock),
        "an event before any lease"
    );

    // One that is revoked, …
    let mut holder = plan(Policy::Revoke).start(&mapped)?;
    let id = holder.lease();
    let acquired = next(&watch)?;
    ensure!(
        acquired.kind == EventKind::Acquired
            && (acquired.lease, acquired.breaker, acquired.operation) == (id, 0, None)
            && (acquired.offset, acquired.length) == (OFFSET, LEASED * PAGE)
            && acquired.policy == Some(Policy::Revoke),
        "lease {id}: {acquired:?}"
    );
    let cut = || Breaking::begin(Handler::Interrupts, || from_io(mapped.file().set_len(CUT)));
    let breaking = cut()?;
    let pid = breaking.pid().as_raw();
    let broken = next(&watch)?;
    ensure!(
        matches!(broken.kind, EventKind::Break { deadline: Some(_) })
            && broken.lease == id
            && broken.breaker != 0
            && broken.pid == Some(pid)
            && broken.operation == Some(Operation::Truncate),
        "lease {id}, breaker {pid}: {broken:?}"
    );
    let withdrawn = next(&watch)?;
    ensure!(
        withdrawn.kind == EventKind::Withdrawn
            && (withdrawn.lease, withdrawn.breaker) == (id, broken.breaker),
        "{broken:?}, then {withdrawn:?}"
    );
    breaking.end(LIMIT)?.result()?;
    // The holder's own copies are not taken from it.
    let own = holder.wait_event(LIMIT, |event| event.kind.word() == "withdrawn")?;
    ensure!(own == Seen::from(withdrawn), "the holder read {own:?}");
    holder.end()?;
    let released = next(&watch)?;
    ensure!(
        released.kind == EventKind::Released && released.lease == id,
        "lease {id}: {released:?}"
    );

    // … one that refuses, and one whose breaker gives up.
    mapped.file().set_len(PAGES * PAGE)?;
    for (policy, then) in [
        (Policy::Refuse, &[EventKind::Refused][..]),
        (
            Policy::Block,
            &[EventKind::Break { deadline: None }, EventKind::Over],
        ),
    ] {
        let mut holder = plan(policy).start(&mapped)?;
        let breaking = cut()?;
        if policy == Policy::Block {
            holder.wait_break()?;
            breaking.kill()?;
        } else {
            let result = breaking.end(LIMIT)?.result();
            errno("a refused breaker", result, Errno::ETXTBSY)?;
        }
        let id = holder.lease();
        let expected = [&[EventKind::Acquired], then].concat();
        for kind in expected {
            let event = next(&watch)?;
            ensure!(
                event.kind == kind && event.lease == id,
                "{policy}: {event:?}"
            );
        }
        holder.end()?;
        let event = next(&watch)?;
        ensure!(event.kind == EventKind::Released, "{policy}: {event:?}");
    }
    ensure!(
        watch.read_event() == Err(ReadError::WouldBlock),
        "an event after the last lease"
    );
    Ok(())
}

/// Without privilege, only one's own user's leases.
pub fn own_user(context: &Context) -> TestResult {
    context.load_modules()?;
    let roots = Mapped::create(&context.path("watch-root"), PAGES, Fill::Faulted)?;
    let theirs = Mapped::create(&context.path("watch-nobody"), PAGES, Fill::Faulted)?;
    let nobody = Some(process::NOBODY);
    fchown(theirs.file(), nobody, nobody)?;
    let device = Device::open()?;

    let (sender, mut receiver) = channel::<Seen>()?;
    let (ready, mut is_ready) = channel::<bool>()?;
    let watcher = process::spawn(move || {
        process::become_nobody()?;
        let watch = device.watch()?;
        ready.send(&true)?;
        for _ in 0..2 {
            sender.send(&next(&watch)?.into())?;
        }
        Ok(())
    })?;
    is_ready.receive(LIMIT)?.context("no watch")?;

    plan(Policy::Refuse).start(&roots)?.end()?;
    let holder = plan(Policy::Refuse).nobody().start(&theirs)?;
    let id = holder.lease();
    holder.end()?;
    for word in ["acquired", "released"] {
        let event = receiver.receive(LIMIT)?.context("the watcher failed")?;
        ensure!(
            event.kind.word() == word && event.lease == id,
            "nobody's lease is {id}, nobody saw {event:?}"
        );
    }
    watcher.join()
}
