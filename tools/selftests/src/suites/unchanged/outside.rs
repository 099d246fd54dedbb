// SPDX-License-Identifier: GPL-2.0
//! What can come between two pins: also what goes past the page cache.

use std::{process::Command, time::Duration};

use anyhow::{ensure, Result};
use pinlease::EventKind;

use super::subject::{direct_write_soon, Subject};
use crate::{
    harness::{Context, Side, TestResult},
    support::{DirectReader, Fill, Program, Stamp},
};

/// The two contents.
const A: u64 = 5;
const B: u64 = 6;

const PAGES: u64 = 16;

const LIMIT: Duration = Duration::from_secs(20);

/// The pin ends; write(2) and fsync; a new pin, whose pages are clean or still dirty.
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
            if durable {
                subject.fsync()?;
            }
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
            subject.fsync()?;
            subject.holds(B)?;
            subject.write_durably(A)?;
        }
    }
    Ok(())
}

/// The holder gives way to another process's direct write, and pins again.
pub fn broken_by_write(context: &Context) -> TestResult {
    broken(
        context,
        // One write: the next one would break the lease again.
        "dd if=/dev/zero of=\"$0\" bs=$(($1 * 4096)) count=1 oflag=direct conv=notrunc",
    )
}

/// The same with a truncation to nothing; the file grows again, as a hole.
pub fn broken_by_truncation(context: &Context) -> TestResult {
    broken(
        context,
        // Not by truncate(1), which has O_NONBLOCK.
        ": > \"$0\" && truncate -s $(($1 * 4096)) \"$0\" && sync \"$0\"",
    )
}

fn broken(context: &Context, breaker: &str) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mut subject = Subject::new(context, PAGES, fill)?;
        for _ in 0..3 {
            subject.write_durably(A)?;
            give_way(context, &mut subject, breaker)?;
            let mut reader = DirectReader::open(subject.mapped.path())?;
            ensure!(
                reader.stamp(0, 0)? == Stamp::Whole(0),
                "the breaker did nothing"
            );
            subject.write_durably(A)?;
        }
    }
    Ok(())
}

/// Another process breaks; the holder answers, and pins again when that is over.
fn give_way(context: &Context, subject: &mut Subject, breaker: &str) -> Result<()> {
    // A program, which unlike a forked child has no copy of the device.
    let breaking = Program::start(
        Command::new("sh")
            .args(["-c", breaker])
            .arg(subject.mapped.path())
            .arg(PAGES.to_string()),
    )?;
    while !matches!(subject.lease()?.read_event()?.kind, EventKind::Break { .. }) {}
    if context.side == Side::Grant {
        // A grant is not given way by unpinning alone.
        subject.close()?;
    } else {
        subject.unpin()?;
    }
    let (status, output) = breaking.everything(LIMIT)?;
    ensure!(status.success(), "the breaker failed: {output}");
    if context.side == Side::Grant {
        subject.acquire()?;
    }
    subject.pin()
}
