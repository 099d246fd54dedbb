// SPDX-License-Identifier: GPL-2.0
//! What can come between two pins: also what goes past the page cache.

use std::{fs::OpenOptions, time::Duration};

use anyhow::{Context as _, Result};
use pinlease::EventKind;

use super::subject::{direct_write, direct_write_soon, Subject};
use crate::{
    harness::{Context, Side, TestResult},
    support::{expect::from_io, Breaking, Fill, Handler},
};

/// The two contents.
const A: u64 = 5;
const B: u64 = 6;

const PAGES: u64 = 16;

const LIMIT: Duration = Duration::from_secs(20);

/// The pin ends; write(2) and fsync; a new pin.
pub fn pinned_again(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mut subject = Subject::new(context, PAGES, fill)?;
        for durable in [true, false] {
            subject.write_durably(A)?;
            subject.unpin()?;
            for page in 0..PAGES {
                subject.buffered_write(page, B)?;
            }
            if durable {
                subject.fsync()?;
                subject.holds(B)?;
            }
            subject.pin()?;
            subject.write_durably(A)?;
        }
    }
    Ok(())
}

/// The lease ends, too; a direct write, which throws the pages out of the cache.
pub fn leased_again(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mut subject = Subject::new(context, PAGES, fill)?;
        for _ in 0..3 {
            subject.write_durably(A)?;
            subject.close()?;
            direct_write_soon(subject.mapped.path(), 0..PAGES, B)?;
            subject.acquire()?;
            subject.pin()?;
            subject.write_durably(A)?;
        }
    }
    Ok(())
}

/// The holder gives way to another process's direct write, and pins again.
pub fn broken_by_write(context: &Context) -> TestResult {
    broken(context, |path| direct_write(path, 0..PAGES, B))
}

/// The same with a truncation to nothing; the file grows again, as a hole.
pub fn broken_by_truncation(context: &Context) -> TestResult {
    broken(context, |path| {
        let file = from_io(OpenOptions::new().write(true).open(path))?;
        let length = from_io(file.metadata())?.len();
        from_io(file.set_len(0))?;
        from_io(file.set_len(length))?;
        from_io(file.sync_all())
    })
}

fn broken(context: &Context, breaker: fn(&std::path::Path) -> nix::Result<()>) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mut subject = Subject::new(context, PAGES, fill)?;
        for _ in 0..3 {
            subject.write_durably(A)?;
            give_way(context, &mut subject, breaker)?;
            subject.write_durably(A)?;
        }
    }
    Ok(())
}

/// Another process breaks; the holder answers, and pins again when that is over.
fn give_way(
    context: &Context,
    subject: &mut Subject,
    breaker: fn(&std::path::Path) -> nix::Result<()>,
) -> Result<()> {
    let path = subject.mapped.path().to_owned();
    let breaking = Breaking::begin(Handler::Interrupts, move || breaker(&path))?;
    while !matches!(subject.lease()?.read_event()?.kind, EventKind::Break { .. }) {}
    if context.side == Side::Grant {
        // A grant is not given way by unpinning alone.
        subject.close()?;
    } else {
        subject.unpin()?;
    }
    breaking.end(LIMIT)?.result().context("the breaker")?;
    if context.side == Side::Grant {
        subject.acquire()?;
    }
    subject.pin()
}
