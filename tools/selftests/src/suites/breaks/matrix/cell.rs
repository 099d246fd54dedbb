// SPDX-License-Identifier: GPL-2.0
//! A cell of the matrix: one holder, one breaker.

use std::{thread, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::sys::signal::Signal;
use pinlease::{monotonic, Policy};

use super::{
    column::{Column, Manner, Reply},
    model::{Expected, Fate, Situation, Until},
    observed::Observed,
};
use crate::{
    harness::Context,
    support::{
        breakers::{self, remove_other, Breaker, OnSignal, Target},
        page_size, Act, Breaking, Fill, Handler, Holder, HolderPlan, Mapped, When,
    },
};

const PAGE: u64 = page_size() as u64;

/// The file has this many pages.
const PAGES: u64 = 24;
/// These are leased …
const LEASED: std::ops::Range<u64> = 8..16;
/// … and reduced to these by a holder that shrinks.
const SHRUNK: std::ops::Range<u64> = 8..10;
/// First page of the breaker's range, and pages in it: a part of the lease.
const BROKEN: (u64, u64) = (12, 4);

/// The grace that is waited for.
const GRACE: Duration = Duration::from_millis(200);
/// One that nobody waits for.
const AGES: Duration = Duration::from_secs(30);
/// From the break to an answer in time.
const PROMPT: Duration = Duration::from_millis(20);
/// What a busy machine may add to anything.
pub const SLACK: Duration = Duration::from_secs(6);

/// What counts of a breaker on this filesystem.
pub fn situation(context: &Context, breaker: &Breaker) -> Result<Situation> {
    let (first, pages) = BROKEN;
    let bytes = breaker.touches(
        context.filesystem()?,
        first * PAGE,
        pages * PAGE,
        PAGES * PAGE,
    );
    Ok(Situation {
        touched: bytes.start / PAGE..bytes.end.div_ceil(PAGE),
        shrunk: SHRUNK,
        signal: breaker.signal,
        refused: breaker.refused,
        nonblock: breaker.nonblock,
        waits: breaker.waits,
    })
}

/// Runs it.
pub fn run(
    context: &Context,
    breaker: &Breaker,
    name: &str,
    column: Column,
    expected: &Expected,
) -> Result<Observed> {
    let path = breaker.place(&context.dir, name)?;
    let mapped = Mapped::create(&path, PAGES, Fill::Faulted)?;
    breaker.prepare(&path)?;
    let flags = match column.manner {
        Manner::Nonblocking => libc::O_NONBLOCK,
        _ => 0,
    };
    let file = breakers::open(&path, flags)?;
    let holder = plan(column, expected).start(&mapped)?;
    let handler = match column.manner {
        Manner::Restarted => Handler::Restarts,
        _ => Handler::Interrupts,
    };
    let (first, pages) = BROKEN;
    let breaking = Breaking::begin(handler, || {
        (breaker.run)(&Target {
            file: &file,
            path: &path,
            flags,
            offset: first * PAGE,
            length: pages * PAGE,
        })
    })?;
    let observed = watch(breaker, column, expected, holder, breaking);
    remove_other(&path);
    observed
}

/// What the holder has and does.
fn plan(column: Column, expected: &Expected) -> HolderPlan {
    let waited_for = expected.until == Until::Deadline || expected.fate != Fate::Lives;
    let grace = if waited_for { GRACE } else { AGES };
    let plan = HolderPlan::new(LEASED, column.policy, grace);
    let prompt = When::AfterBreak(match column.manner {
        // Not before the signal.
        Manner::Restarted => 3 * PROMPT,
        _ => PROMPT,
    });
    match column.reply {
        Reply::Close => plan.answer(Act::Close, prompt),
        Reply::Unpin => plan.answer(Act::Unpin, prompt),
        // What is pinned stays pinned.
        Reply::Shrink => plan.pin(Some(SHRUNK)).answer(Act::Shrink(SHRUNK), prompt),
        Reply::Late if column.policy == Policy::Block => {
            plan.answer(Act::Close, When::AfterBreak(2 * GRACE))
        }
        Reply::Late => plan.answer(Act::Unpin, When::AfterWithdrawn),
        Reply::Never => plan,
    }
}

/// Does what comes from outside, and sees how it ends.
fn watch(
    breaker: &Breaker,
    column: Column,
    expected: &Expected,
    mut holder: Holder,
    breaking: Breaking,
) -> Result<Observed> {
    let pid = breaking.pid().as_raw();
    let mut signalled = None;
    let is_signalled = matches!(column.manner, Manner::Interrupted | Manner::Restarted);
    if is_signalled || expected.until == Until::Signal {
        holder.wait_break().context("before the signal")?;
        if !is_signalled {
            // Much longer than it would be if it had an end.
            thread::sleep(2 * GRACE);
        }
        ensure!(
            !breaking.has_ended(PROMPT / 2)?,
            "the breaker did not wait for the signal"
        );
        signalled = Some(monotonic());
    }
    let broken = match signalled {
        Some(_) if expected.result.is_none() => {
            ensure!(breaker.signal == OnSignal::Waits, "a wrong model");
            breaking.kill()?;
            None
        }
        _ => {
            if signalled.is_some() {
                breaking.signal(Signal::SIGUSR1)?;
            }
            Some(breaking.end(AGES / 2)?)
        }
    };
    let (state, ended) = if expected.fate == Fate::Killed {
        (None, holder.gone(GRACE + SLACK)?)
    } else {
        if let Some(&last) = expected.events.last() {
            holder
                .wait_event(SLACK, |event| event.kind.word() == last)
                .with_context(|| format!("no event '{last}'"))?;
        }
        (Some(holder.act(&Act::Query)?), holder.end()?)
    };
    Ok(Observed {
        breaker: pid,
        operation: breaker.operation.to_string(),
        grace: GRACE,
        broken,
        signalled,
        state,
        ended,
    })
}
