// SPDX-License-Identifier: GPL-2.0
//! An fsync costs what the device wrote since the last one, not the whole pin:
//! the holder says what that is, or pinlease sees what did not change.

use anyhow::{ensure, Result};

use super::subject::{allowed, Subject, OVERHEAD};
use crate::{
    harness::{Context, TestResult},
    support::Fill,
};

/// Of small folios, 32 MiB; of large ones 64 MiB: one of them, of 2 MiB, is less
/// than 5 % of that.
fn pages(context: &Context, fill: Fill) -> u64 {
    context.pages.max(match fill {
        Fill::Faulted => 8192,
        Fill::Written => 16384,
    })
}

/// The device wrote nothing: nothing is written, whoever asks.
pub fn nothing(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let subject = Subject::new(context, 2048, fill, false)?;
        let file = subject.rig.mapped.file();
        let written = subject.cost("fsyncs, syncs of an idle pin", || {
            for _ in 0..3 {
                subject.rig.fsync()?;
                file.sync_data()?;
                nix::unistd::syncfs(file)?;
                nix::unistd::sync();
            }
            Ok(())
        })?;
        ensure!(
            written <= OVERHEAD,
            "{written} bytes for nothing; the pin has {}",
            subject.bytes()
        );
        subject.holds(0..2048, 1)?;
    }
    Ok(())
}

/// Nobody says what the device wrote.
pub fn unmarked(context: &Context, fill: Fill) -> TestResult {
    let subject = Subject::new(context, pages(context, fill), fill, false)?;
    portion(&subject, fill)
}

/// The holder says it.
pub fn marked(context: &Context) -> TestResult {
    let subject = Subject::new(context, pages(context, Fill::Faulted), Fill::Faulted, true)?;
    portion(&subject, Fill::Faulted)
}

/// An fsync after 1 % of the pin was written costs at most 5 % of one after all
/// was.
fn portion(subject: &Subject, fill: Fill) -> TestResult {
    let pages = subject.bytes() / super::subject::PAGE;
    subject.write(0..pages, 2)?;
    let all = subject.fsync("all of the pin")?;
    ensure!(all >= subject.bytes(), "all was not written: {all} bytes");
    subject.holds(0..pages, 2)?;

    let hundredth = pages / 100;
    // Where a folio of any size begins.
    let first = 1024;
    subject.write(first..first + hundredth, 3)?;
    let part = subject.fsync("a hundredth, together")?;
    percentage(part, all);
    ensure!(part * 20 <= all, "{part} bytes are more than 5 % of {all}");
    subject.holds(0..first, 2)?;
    subject.holds(first..first + hundredth, 3)?;
    subject.holds(first + hundredth..pages, 2)?;

    if fill == Fill::Faulted {
        scattered(subject, pages, all)?;
    }

    // What was spared is not forgotten.
    subject.write(0..pages, 5)?;
    let again = subject.fsync("all of it again")?;
    ensure!(again >= subject.bytes(), "only {again} bytes were written");
    subject.holds(0..pages, 5)
}

/// Every hundredth page, of small folios.
fn scattered(subject: &Subject, pages: u64, all: u64) -> Result<()> {
    for page in (0..pages).step_by(100) {
        subject.write(page..page + 1, 4)?;
    }
    let part = subject.fsync("a hundredth, scattered")?;
    percentage(part, all);
    let bytes = pages / 100 * super::subject::PAGE;
    ensure!(
        part * 20 <= all.max(allowed(Fill::Faulted, bytes)),
        "{part} bytes are more than 5 % of {all}"
    );
    for page in (0..pages).step_by(700) {
        subject.holds(page..page + 1, 4)?;
    }
    Ok(())
}

fn percentage(part: u64, all: u64) {
    println!("{:.2} % of the whole", part as f64 * 100.0 / all as f64);
}
