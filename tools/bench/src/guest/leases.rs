// SPDX-License-Identifier: GPL-2.0
//! What a lease costs where there are few, and where there are many.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{ensure, Context, Result};
use nix::{
    errno::Errno,
    fcntl::{fallocate, FallocateFlags},
    sys::resource::{setrlimit, Resource},
};
use pinlease::{Device, Lease, Policy};
use selftests::support::{modules::unload_when_unused, new_file, page_size};

use super::{
    session::Session,
    turns::{each, plain, Pairs},
};
use crate::measured::{Place, Unit};

pub(super) const NAMES: &[&str] = &["lookup_", "acquire_", "release_at_"];

const PAGE: u64 = page_size() as u64;

/// Leases of each file.
const PER_FILE: u64 = 100;

/// Few leases, all of one file.
const FEW: u64 = 10;

/// Look-ups that are measured together.
const LOOKUPS: u64 = 400;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    let many: u64 = session.either(100_000, 1_000);
    setrlimit(Resource::RLIMIT_NOFILE, many + 4096, many + 4096)?;
    session.load_with("pinlease", c"leases_per_user=200000")?;
    let mut all = All::new(session)?;
    let [mut refused, mut synced] = [Pairs::default(), Pairs::default()];
    let levels = (0..).map(|power| 10_u64.pow(power));
    for level in levels.take_while(|level| *level < many) {
        all.grow_to(level)?;
        tell_acquire(session, &all, level)?;
    }
    all.shrink_to(FEW);
    let few = [all.refusals(session)?, all.fsyncs(session)?];
    all.grow_to(many)?;
    tell_acquire(session, &all, many)?;
    let with_many = [all.refusals(session)?, all.fsyncs(session)?];
    all.shrink_to(FEW);
    // The reference again: what changed meanwhile is in the spread.
    let few_again = [all.refusals(session)?, all.fsyncs(session)?];
    for (which, pairs) in [&mut refused, &mut synced].into_iter().enumerate() {
        for (ours, theirs) in [
            (&with_many[which], &few[which]),
            (&with_many[which], &few_again[which]),
        ] {
            for (ours, theirs) in ours.iter().zip(theirs) {
                pairs.add(*ours, *theirs);
            }
        }
    }
    drop(all);
    unload_when_unused("pinlease")?;
    // A quick run has other names: what bars are for is the whole.
    let thousands = many / 1000;
    let files = many / PER_FILE;
    session.tell(refused.cost(
        format!("lookup_{thousands}k_vs_10"),
        &format!("punching a hole that a lease refuses, with 10 leases on one file; ours: with {many} on {files}"),
        Unit::Ns,
    ))?;
    session.tell(synced.cost(
        format!("lookup_fsync_{thousands}k_vs_10"),
        "fsync of a leased file, with as many",
        Unit::Ns,
    ))
}

/// Files, and leases of their pages.
struct All {
    device: Device,
    dir: PathBuf,
    files: Vec<File>,
    leases: Vec<Lease>,
}

impl All {
    fn new(session: &Session<'_>) -> Result<Self> {
        let dir = session.dir().join("leases");
        fs::create_dir_all(&dir)?;
        Ok(Self {
            device: Device::open()?,
            dir,
            files: Vec::new(),
            leases: Vec::new(),
        })
    }

    fn acquire(&self, number: u64) -> Result<Lease> {
        let file = &self.files[usize::try_from(number / PER_FILE)?];
        let lease = self
            .device
            .lease(file)
            .range(number % PER_FILE * PAGE, PAGE)
            .policy(Policy::Refuse);
        Ok(lease.acquire()?)
    }

    fn grow_to(&mut self, count: u64) -> Result<()> {
        for number in self.leases.len() as u64..count {
            if number / PER_FILE == self.files.len() as u64 {
                let path = self.dir.join(self.files.len().to_string());
                let file = new_file(&path)?;
                file.set_len((PER_FILE + 1) * PAGE)?;
                file.sync_all()?;
                self.files.push(file);
            }
            let lease = self.acquire(number)?;
            self.leases.push(lease);
        }
        Ok(())
    }

    /// The last come first; files stay.
    fn shrink_to(&mut self, count: u64) {
        while self.leases.len() as u64 > count {
            self.leases.pop();
        }
    }

    /// A page of a file, for each of many look-ups in all parts of what is leased.
    fn places(&self) -> impl Iterator<Item = u64> {
        let count = self.leases.len() as u64;
        // A prime.
        (0..LOOKUPS).map(move |number| number * 7919 % count)
    }

    /// Nanoseconds for punching a hole where a lease refuses.
    fn refusals(&self, session: &Session<'_>) -> Result<Vec<f64>> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        self.rounds(session, |number| {
            let file = &self.files[usize::try_from(number / PER_FILE)?];
            let offset = i64::try_from(number % PER_FILE * PAGE)?;
            let result = fallocate(file, flags, offset, page_size() as i64);
            ensure!(result == Err(Errno::ETXTBSY), "{result:?}");
            Ok(())
        })
    }

    /// Nanoseconds for fsync of a leased file where nothing is dirty.
    fn fsyncs(&self, session: &Session<'_>) -> Result<Vec<f64>> {
        self.rounds(session, |number| {
            let file = &self.files[usize::try_from(number / PER_FILE)?];
            file.sync_data().context("fdatasync")
        })
    }

    fn rounds(
        &self,
        session: &Session<'_>,
        mut look_up: impl FnMut(u64) -> Result<()>,
    ) -> Result<Vec<f64>> {
        let mut found = Vec::new();
        for round in 0..=session.rounds() {
            let mut places = self.places();
            let took = each(LOOKUPS, || places.next().map_or(Ok(()), &mut look_up))?;
            if round > 0 {
                found.push(took);
            }
        }
        Ok(found)
    }
}

impl Drop for All {
    fn drop(&mut self) {
        self.leases.clear();
        self.files.clear();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What one more costs, when there are as many: a lease of a page of the first file, which others
/// have, and its end.
fn tell_acquire(session: &Session<'_>, all: &All, level: u64) -> Result<()> {
    let mut one = || {
        let last = PER_FILE * PAGE;
        let lease = all
            .device
            .lease(&all.files[0])
            .range(last, PAGE)
            .policy(Policy::Refuse);
        drop(lease.acquire()?);
        Ok(())
    };
    let mut values = Vec::new();
    for _ in 0..session.rounds() {
        values.push(each(16, &mut one)? / 1e3);
    }
    let mut figure = plain(
        format!("acquire_release_at_{level}"),
        "a lease is acquired and ended while there are as many",
        Unit::Us,
        values,
    );
    figure.place = Some(Place {
        plot: "leases".into(),
        line: "acquire and release, us".into(),
        x: level as f64,
    });
    session.tell(figure)
}
