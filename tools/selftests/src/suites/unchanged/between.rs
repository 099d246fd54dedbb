// SPDX-License-Identifier: GPL-2.0
//! What can come between two equal contents while the pin stays.

use std::time::Duration;

use anyhow::{ensure, Result};

use super::subject::Subject;
use crate::{
    harness::{Context, TestResult},
    support::{
        proc::wait_for,
        sysctl::{drop_caches, hasty_flusher},
        DirectReader, Fill, Stamp,
    },
};

/// The two contents.
const A: u64 = 5;
const B: u64 = 6;

const PAGES: u64 = 16;

/// A is on the disk, `between` brings B there, and A comes again.
fn aba(context: &Context, between: impl Fn(&Subject) -> Result<()>) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let subject = Subject::new(context, PAGES, fill)?;
        again(&subject, &between)?;
    }
    Ok(())
}

/// The same, several times, with what is there already.
fn again(subject: &Subject, between: impl Fn(&Subject) -> Result<()>) -> TestResult {
    for _ in 0..3 {
        subject.write_durably(A)?;
        between(subject)?;
        subject.write_durably(A)?;
    }
    Ok(())
}

/// An fsync.
pub fn fsync(context: &Context) -> TestResult {
    aba(context, |subject| subject.write_durably(B))
}

/// The flusher, after a tick.
pub fn flusher(context: &Context) -> TestResult {
    let _hasty = hasty_flusher()?;
    aba(context, |subject| {
        subject.write(B)?;
        // The reader writes back what is dirty: either way B is there.
        let mut reader = DirectReader::open(subject.mapped.path())?;
        wait_for("the flusher writes B", Duration::from_secs(20), || {
            Ok(reader.stamp(PAGES - 1, PAGES - 1)? == Stamp::Whole(B))
        })
        .map(drop)
    })
}

/// Writeback before which nobody re-arms.
pub fn untold_writeback(context: &Context) -> TestResult {
    aba(context, |subject| {
        subject.write(B)?;
        subject.untold_writeback()?;
        subject.holds(B)
    })
}

/// The caches are dropped before and after.
pub fn dropped_caches(context: &Context) -> TestResult {
    aba(context, |subject| {
        drop_caches()?;
        subject.write(B)?;
        drop_caches()?;
        subject.fsync()?;
        drop_caches()
    })
}

/// write(2) of the CPU, made durable in several ways, or not at all.
pub fn buffered_write(context: &Context) -> TestResult {
    by_cpu(context, Subject::buffered_write)
}

/// Stores of the CPU into the mapping, the same.
pub fn store(context: &Context) -> TestResult {
    by_cpu(context, |subject, page, generation| {
        subject.store(page, generation);
        Ok(())
    })
}

fn by_cpu(context: &Context, change: fn(&Subject, u64, u64) -> Result<()>) -> TestResult {
    let all = |subject: &Subject, generation| {
        (0..PAGES).try_for_each(|page| change(subject, page, generation))
    };
    aba(context, |subject| {
        all(subject, B)?;
        subject.fsync()?;
        subject.holds(B)
    })?;
    aba(context, |subject| {
        all(subject, B)?;
        subject.untold_writeback()
    })?;
    aba(context, |subject| all(subject, B))?;
    // The other way round: what the CPU writes is what the device wrote before.
    aba(context, |subject| {
        subject.write_durably(B)?;
        all(subject, A)?;
        subject.fsync()?;
        subject.holds(A)
    })
}

/// The device writes while the snapshot is taken, and then never again: what counts
/// is what the snapshot has, not what the page had before or after.
pub fn never_idle(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let subject = Subject::new(context, PAGES, fill)?;
        let mut reader = DirectReader::open(subject.mapped.path())?;
        for round in 0..30 {
            subject.engine()?.start(round * 1000, Duration::ZERO)?;
            subject.engine()?.wait_passes(1)?;
            for _ in 0..3 {
                subject.fsync()?;
            }
            // In the middle of a pass: a page may hold two generations.
            subject.engine()?.stop()?;
            subject.fsync()?;
            for page in 0..PAGES {
                ensure!(
                    reader.bytes(page)? == subject.mapped.load(page),
                    "page {page} on the disk is not as in the memory, in round {round}"
                );
            }
        }
    }
    Ok(())
}

/// The holder says what was written.
pub fn marked(context: &Context) -> TestResult {
    context.load_modules()?;
    for fill in [Fill::Faulted, Fill::Written] {
        let path = context.path("unchanged");
        let subject = Subject::at(context.side, &path, PAGES, fill, true)?;
        again(&subject, |subject| subject.write_durably(B))?;
        again(&subject, |subject| {
            subject.write(B)?;
            subject.untold_writeback()
        })?;
    }
    Ok(())
}

/// A second pin of the same pages, older or younger than what they hold.
pub fn two_pins(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let mut subject = Subject::new(context, PAGES, fill)?;
        for _ in 0..3 {
            subject.write_durably(A)?;
            subject.pin()?;
            subject.device(1, 0..PAGES, B)?;
            subject.fsync()?;
            subject.holds(B)?;
            // The first one goes, and with it what was known of it.
            subject.unpin()?;
            subject.write_durably(A)?;
            subject.pin()?;
            subject.device(1, 0..PAGES, B)?;
            subject.untold_writeback()?;
            subject.unpin()?;
            subject.write_durably(A)?;
        }
    }
    Ok(())
}
