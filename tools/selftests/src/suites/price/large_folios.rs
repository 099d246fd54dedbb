// SPDX-License-Identifier: GPL-2.0
//! Write amplification: a folio is written as a whole.

use anyhow::{ensure, Result};

use super::subject::{allowed, Subject, FOLIO, OVERHEAD, PAGE};
use crate::{
    harness::{Context, TestResult},
    support::Fill,
};

/// Eight folios of 2 MiB, where the filesystem makes such.
const PAGES: u64 = 4096;

/// Pages of a folio of 2 MiB.
const APART: u64 = FOLIO / PAGE;

/// Bytes that an fsync writes beside those that the device wrote; a line of the
/// table in Documentation/limits.rst each.
pub fn amplification(context: &Context) -> TestResult {
    for fill in [Fill::Faulted, Fill::Written] {
        let subject = Subject::new(context, PAGES, fill, false)?;
        let measure = |generation, what, first, count, apart| {
            row(&subject, fill, generation, what, (first, count, apart))
        };
        let one = measure(2, "one page", 100, 1, 1)?;
        let each = measure(3, "a page in each 2 MiB", 100, PAGES / APART, APART)?;
        let together = measure(4, "64 pages together", 512, 64, 1)?;
        let folio = measure(5, "2 MiB together", APART, APART, 1)?;
        let all = measure(6, "all", 0, PAGES, 1)?;

        ensure!(one <= allowed(fill, PAGE), "{one} bytes for one page");
        let most = match fill {
            Fill::Faulted => PAGES / APART * PAGE + OVERHEAD,
            Fill::Written => subject.bytes() + OVERHEAD,
        };
        ensure!(each <= most, "{each} bytes for {} pages", PAGES / APART);
        ensure!(together <= allowed(fill, 64 * PAGE), "{together} bytes");
        ensure!(folio <= allowed(fill, FOLIO), "{folio} bytes for 2 MiB");
        ensure!(all <= allowed(fill, subject.bytes()), "{all} bytes for all");
    }
    Ok(())
}

/// The device writes `count` pages from `first` on, each `apart` pages after the
/// one before; then fsync.  Bytes that it writes.
fn row(
    subject: &Subject,
    fill: Fill,
    generation: u64,
    what: &str,
    (first, count, apart): (u64, u64, u64),
) -> Result<u64> {
    let pages = || (first..).step_by(apart as usize).take(count as usize);
    for page in pages() {
        subject.write(page..page + 1, generation)?;
    }
    let written = subject.fsync(what)?;
    let wrote = count * PAGE;
    println!(
        "amplification: {fill:?}, {what}: the device wrote {} KiB, fsync {} KiB, {:.1} times",
        wrote >> 10,
        written >> 10,
        written as f64 / wrote as f64
    );
    for page in pages().step_by(61) {
        subject.holds(page..page + 1, generation)?;
    }
    Ok(written)
}
