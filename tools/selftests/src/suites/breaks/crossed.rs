// SPDX-License-Identifier: GPL-2.0
//! Holders that break their own leases, or each other's.

use std::{ops::Range, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::{errno::Errno, sys::signal::Signal};
use pinlease::{monotonic, Policy};

use super::here;
use crate::{
    harness::{Context, Test, TestResult},
    support::{
        breakers::{remove_other, WhenRefused},
        expect::{errno, success},
        page_size, residue, Act, Breaking, Fill, Handler, Holder, HolderPlan, Kind, Mapped, Seen,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("breaks.crossed-self", own),
    Test::new("breaks.crossed-child", child),
    Test::new("breaks.crossed-two", two),
    Test::new("breaks.crossed-two-block", two_block),
    Test::new("breaks.crossed-circle", circle),
    Test::new("breaks.crossed-half-circle", half_circle),
    Test::new("breaks.crossed-signals", signals),
    Test::new("breaks.crossed-stopped", stopped),
];

const PAGES: u64 = 24;
const LIMIT: Duration = Duration::from_secs(15);
const AGES: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_millis(300);
const WHILE: Duration = Duration::from_millis(120);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);

/// Leased by each of several holders.
const PARTS: [Range<u64>; 3] = [0..8, 8..16, 16..24];

fn file(context: &Context) -> Result<Mapped> {
    context.load_modules()?;
    Mapped::create(&context.path("crossed"), PAGES, Fill::Faulted)
}

fn punch(pages: &Range<u64>) -> Act {
    Act::Break("punch".into(), pages.start + 2..pages.end - 2)
}

/// Whatever a holder does to its own range.
fn own(context: &Context) -> TestResult {
    context.load_modules()?;
    for breaker in here(context)? {
        let path = breaker.place(&context.dir, "crossed")?;
        let mapped = Mapped::create(&path, PAGES, Fill::Faulted)?;
        breaker.prepare(&path)?;
        for policy in Policy::ALL {
            let expected = match policy {
                Policy::Refuse => Errno::ETXTBSY,
                _ if !breaker.waits => Errno::ETXTBSY,
                _ => Errno::EDEADLK,
            };
            let mut holder = HolderPlan::new(8..16, policy, GRACE).start(&mapped)?;
            let act = Act::Break(breaker.name.into(), 10..14);
            let result = holder.act(&act)?.result();
            let what = format!("{} of its own, {policy}", breaker.name);
            match breaker.refused {
                WhenRefused::Fails => errno(&what, result, expected)?,
                WhenRefused::FallsBack => success(&what, result)?,
            }
            let query = holder.act(&Act::Query)?;
            ensure!(query.state == "held", "{what}: {query:?}");
            let ended = holder.end()?;
            ensure!(
                ended.events.iter().all(|event| !event.is_break()),
                "{what}: {:?}",
                ended.events
            );
        }
        remove_other(&path);
    }
    residue::none_left()
}

/// A holder's child is not the holder: it waits.
fn child(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let device = pinlease::Device::open()?;
    let lease = device.lease(&mapped).policy(Policy::Block).acquire()?;
    // A child of this process, with a copy of the lease.
    let breaking = Breaking::begin(Handler::Interrupts, || {
        nix::unistd::truncate(mapped.path(), 0)
    })?;
    ensure!(!breaking.has_ended(WHILE)?, "the child did not wait");
    lease.shrink(0, page_size() as u64)?;
    ensure!(!breaking.has_ended(WHILE)?, "it still overlaps");
    breaking.signal(Signal::SIGUSR1)?;
    errno("interrupted", breaking.end(LIMIT)?.result(), Errno::EINTR)?;
    drop(lease);
    residue::none_left()
}

fn holders(mapped: &Mapped, policies: &[Policy], grace: Duration) -> Result<Vec<Holder>> {
    let plans = policies.iter().zip(PARTS);
    plans
        .map(|(&policy, part)| HolderPlan::new(part, policy, grace).start(mapped))
        .collect()
}

/// Under policies with an end, both get it.
fn two(context: &Context) -> TestResult {
    for policies in [
        [Policy::Kill, Policy::Kill],
        [Policy::Revoke, Policy::Revoke],
        [Policy::Kill, Policy::Revoke],
    ] {
        let mapped = file(context)?;
        let mut both = holders(&mapped, &policies, GRACE)?;
        let begin = monotonic();
        both[0].begin(&punch(&PARTS[1]))?;
        both[1].begin(&punch(&PARTS[0]))?;
        let mut yielded = 0;
        for holder in both {
            let what = format!("{policies:?}");
            yielded += u32::from(has_yielded(holder).context(what)?);
        }
        let took = monotonic().saturating_sub(begin);
        println!("{policies:?}: {took:?}, the grace is {GRACE:?}");
        ensure!(took <= 2 * GRACE + SLACK, "{policies:?} took {took:?}");
        ensure!(yielded > 0, "{policies:?}: nobody yielded");
        residue::none_left()?;
    }
    Ok(())
}

/// Waits until a holder that breaks and is broken comes to its end; whether it
/// had to yield.  When one is killed, its own break is off, and the other may
/// live.
fn has_yielded(mut holder: Holder) -> Result<bool> {
    if let Ok(done) = holder.done(LIMIT) {
        done.result().context("its break")?;
        let query = holder.act(&Act::Query);
        if query.as_ref().is_ok_and(|query| query.state == "held") {
            holder.end()?;
            return Ok(false);
        }
    }
    let ended = holder.end()?;
    let withdrawn = ended
        .events
        .iter()
        .any(|event| event.kind == Kind::Withdrawn);
    ensure!(
        ended.was_killed() || withdrawn,
        "neither killed nor withdrawn: {ended:?}"
    );
    Ok(true)
}

/// Under block, the one who would close the circle is refused.
fn two_block(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut both = holders(&mapped, &[Policy::Block; 2], GRACE)?;
    both[0].begin(&punch(&PARTS[1]))?;
    both[1].wait_break()?;
    let second = both[1].act(&punch(&PARTS[0]))?;
    errno("the second", second.result(), Errno::EDEADLK)?;
    // The first waits on, and gets through.
    let events = both[1].events()?.len();
    ensure!(events == 1, "{events} events");
    both[1].act(&Act::Close)?;
    both[0].done(LIMIT)?.result().context("the first")?;
    for holder in both {
        holder.end()?;
    }
    residue::none_left()
}

/// Three of them.
fn circle(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut all = holders(&mapped, &[Policy::Block; 3], GRACE)?;
    all[0].begin(&punch(&PARTS[1]))?;
    all[1].wait_break()?;
    all[1].begin(&punch(&PARTS[2]))?;
    all[2].wait_break()?;
    let last = all[2].act(&punch(&PARTS[0]))?;
    errno("who closes the circle", last.result(), Errno::EDEADLK)?;
    all[2].act(&Act::Close)?;
    all[1].done(LIMIT)?.result().context("the second")?;
    all[1].act(&Act::Close)?;
    all[0].done(LIMIT)?.result().context("the first")?;
    for holder in all {
        holder.end()?;
    }
    residue::none_left()
}

/// A circle in which one wait has an end is none.
fn half_circle(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut both = holders(&mapped, &[Policy::Block, Policy::Revoke], GRACE)?;
    // Waits for the one that is revoked.
    both[0].begin(&punch(&PARTS[1]))?;
    both[1].wait_break()?;
    both[1].begin(&punch(&PARTS[0]))?;
    both[0]
        .done(LIMIT)?
        .result()
        .context("who waits for an end")?;
    both[0].act(&Act::Close)?;
    both[1].done(LIMIT)?.result().context("who waits without")?;
    both[1].wait_event(LIMIT, |event| event.kind == Kind::Withdrawn)?;
    for holder in both {
        holder.end()?;
    }
    residue::none_left()
}

/// Two breakers; one gives up: the break stays.
fn signals(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut holder = HolderPlan::new(8..16, Policy::Revoke, AGES).start(&mapped)?;
    let cut = || {
        Breaking::begin(Handler::Interrupts, || {
            nix::unistd::truncate(mapped.path(), 0)
        })
    };
    let first = cut()?;
    let broken = holder.wait_break()?;
    let second = cut()?;
    ensure!(!second.has_ended(WHILE)?, "the second does not wait");
    let deadline = broken.deadline().context("no deadline")?;
    first.kill()?;
    ensure!(!second.has_ended(WHILE)?, "the second went with the first");
    let query = holder.act(&Act::Query)?;
    ensure!(query.state == "breaking", "one still waits: {query:?}");
    // The second breaker gets no longer grace than the first.
    for event in holder.events()?.iter().filter_map(Seen::deadline) {
        ensure!(event <= deadline, "{event:?} is after {deadline:?}");
    }
    second.signal(Signal::SIGUSR1)?;
    errno("interrupted", second.end(LIMIT)?.result(), Errno::EINTR)?;
    holder.wait_event(LIMIT, |event| event.kind == Kind::Over)?;
    let query = holder.act(&Act::Query)?;
    ensure!(query.state == "held", "nobody waits: {query:?}");

    // It can be broken again, with a whole grace.
    let third = cut()?;
    let again = holder.wait_event(LIMIT, |event| {
        event.is_break() && event.time > broken.time && event.pid == Some(third.pid().as_raw())
    })?;
    let left = again.deadline().context("no deadline")?;
    let left = left.saturating_sub(again.time);
    ensure!(left.abs_diff(AGES) < WHILE, "a grace of {left:?}");
    holder.act(&Act::Close)?;
    third.end(LIMIT)?.result()?;
    holder.end()?;
    residue::none_left()
}

/// A breaker that is stopped and continued waits on.
fn stopped(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let mut holder = HolderPlan::new(8..16, Policy::Kill, AGES).start(&mapped)?;
    let breaking = Breaking::begin(Handler::Restarts, || {
        nix::unistd::truncate(mapped.path(), 0)
    })?;
    holder.wait_break()?;
    breaking.signal(Signal::SIGSTOP)?;
    std::thread::sleep(WHILE);
    breaking.signal(Signal::SIGCONT)?;
    ensure!(!breaking.has_ended(WHILE)?, "SIGSTOP ended the breaker");
    holder.act(&Act::Close)?;
    breaking.end(LIMIT)?.result()?;
    holder.end()?;
    residue::none_left()
}
