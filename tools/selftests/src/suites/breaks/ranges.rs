// SPDX-License-Identifier: GPL-2.0
//! Which bytes conflict: one is enough, none is needed beside it.

use std::{
    fs::{self, File, OpenOptions},
    ops::Range,
    os::unix::fs::{FileExt, PermissionsExt},
    time::Duration,
};

use anyhow::{ensure, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
};
use pinlease::Policy;

use super::here;
use crate::{
    harness::{Context, TestResult},
    support::{
        breakers::{self, remove_other, Breaker, Reach, Target, WhenRefused},
        expect::{errno, success},
        page_size, Act, Fill, Holder, HolderPlan, Mapped,
    },
};

const PAGE: u64 = page_size() as u64;
const PAGES: u64 = 24;
/// Leased and pinned.
const LEASED: Range<u64> = 8..16;
const FIRST: u64 = LEASED.start * PAGE;
const END: u64 = LEASED.end * PAGE;

/// A leased file; who breaks it is refused, and the holder is told.
struct Leased {
    mapped: Mapped,
    file: File,
    holder: Holder,
    told: usize,
}

impl Leased {
    fn new(context: &Context, breaker: Option<&Breaker>) -> Result<Self> {
        let path = match breaker {
            Some(breaker) => breaker.place(&context.dir, "ranges")?,
            None => context.path("ranges"),
        };
        let mapped = Mapped::create(&path, PAGES, Fill::Faulted)?;
        if let Some(breaker) = breaker {
            breaker.prepare(&path)?;
        }
        let file = breakers::open(&path, 0)?;
        let holder = HolderPlan::new(LEASED, Policy::Refuse, Duration::ZERO)
            .idle()
            .start(&mapped)?;
        Ok(Self {
            mapped,
            file,
            holder,
            told: 0,
        })
    }

    fn run(&self, breaker: &Breaker, offset: u64, length: u64) -> nix::Result<()> {
        (breaker.run)(&Target {
            file: &self.file,
            path: self.mapped.path(),
            flags: 0,
            offset,
            length,
        })
    }

    /// The events since the last call.
    fn news(&mut self) -> Result<Vec<String>> {
        // What it does comes after what it reads.
        self.holder.act(&Act::Query)?.result()?;
        let events = self.holder.events()?;
        let news = events[self.told..].iter().map(|event| format!("{event:?}"));
        let news = news.collect();
        self.told = events.len();
        Ok(news)
    }

    fn conflicts(&mut self, breaker: &Breaker, offset: u64, length: u64) -> TestResult {
        let what = format!("{} of bytes {offset}+{length}", breaker.name);
        let result = self.run(breaker, offset, length);
        match breaker.refused {
            WhenRefused::Fails => errno(&what, result, Errno::ETXTBSY)?,
            WhenRefused::FallsBack => success(&what, result)?,
        }
        let news = self.news()?;
        ensure!(
            news.len() == 1 && news[0].contains("Refused"),
            "{what}: the holder read {news:?}"
        );
        Ok(())
    }

    fn passes(&mut self, breaker: &Breaker, offset: u64, length: u64) -> TestResult {
        let what = format!("{} of bytes {offset}+{length}", breaker.name);
        success(&what, self.run(breaker, offset, length))?;
        self.silent(&what)
    }

    fn silent(&mut self, what: &str) -> TestResult {
        let news = self.news()?;
        ensure!(news.is_empty(), "{what}: the holder read {news:?}");
        Ok(())
    }
}

/// The smallest overlap of every breaker.
pub fn overlapping(context: &Context) -> TestResult {
    context.load_modules()?;
    for breaker in here(context)? {
        let mut leased = Leased::new(context, Some(breaker))?;
        let least = breaker.granularity;
        match breaker.reach {
            Reach::Range => {
                // Its first byte, its last, one inside, all.
                leased.conflicts(breaker, FIRST - PAGE, PAGE + least)?;
                leased.conflicts(breaker, END - least, PAGE)?;
                leased.conflicts(breaker, FIRST + PAGE, least)?;
                leased.conflicts(breaker, 0, PAGES * PAGE)?;
            }
            Reach::ToEnd | Reach::Shifted => {
                leased.conflicts(breaker, END - least, least)?;
                leased.conflicts(breaker, FIRST - PAGE, PAGE)?;
            }
            Reach::File => leased.conflicts(breaker, 0, PAGE)?,
        }
        remove_other(leased.mapped.path());
    }
    Ok(())
}

/// Beside the lease, up to its very ends, nobody is asked.
pub fn beside(context: &Context) -> TestResult {
    context.load_modules()?;
    let filesystem = context.filesystem()?;
    for breaker in here(context)? {
        let mut leased = Leased::new(context, Some(breaker))?;
        match breaker.reach {
            Reach::Range => {
                leased.passes(breaker, FIRST - 2 * PAGE, 2 * PAGE)?;
                leased.passes(breaker, END, 2 * PAGE)?;
                if breaker.granularity == 1 {
                    leased.passes(breaker, FIRST - PAGE - 100, PAGE + 99)?;
                    leased.passes(breaker, END + 1, PAGE)?;
                }
            }
            Reach::ToEnd | Reach::Shifted => {
                let touched = breaker.touches(filesystem, END, PAGE, PAGES * PAGE);
                let offset = 2 * END - touched.start;
                leased.passes(breaker, offset, PAGE)?;
                if breaker.granularity == 1 {
                    leased.passes(breaker, END + 1, PAGE)?;
                }
            }
            // It has no beside.
            Reach::File => {}
        }
        remove_other(leased.mapped.path());
    }
    Ok(())
}

/// What ordinary programs do is no break.
pub fn ordinary(context: &Context) -> TestResult {
    context.load_modules()?;
    let mut leased = Leased::new(context, None)?;
    let path = leased.mapped.path().to_owned();
    let renamed = path.with_extension("renamed");
    let mut buffer = vec![0; page_size()];
    leased.file.read_exact_at(&mut buffer, FIRST)?;
    leased.silent("read(2)")?;
    leased.file.write_all_at(&buffer, FIRST)?;
    leased.silent("write(2)")?;
    leased.mapped.stamp_by_cpu(2);
    leased.silent("storing")?;
    leased.file.sync_all()?;
    leased.silent("fsync(2)")?;
    leased.file.set_len(2 * PAGES * PAGE)?;
    leased.silent("extending")?;
    let keep = FallocateFlags::empty();
    fallocate(&leased.file, keep, 0, 3 * (PAGES * PAGE) as i64)?;
    leased.silent("fallocate(2) without a mode")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    leased.silent("chmod(2)")?;
    fs::rename(&path, &renamed)?;
    leased.silent("rename(2)")?;
    drop(OpenOptions::new().write(true).open(&renamed)?);
    leased.silent("open(2) for writing")?;
    fs::remove_file(&renamed)?;
    leased.silent("unlink(2)")
}
