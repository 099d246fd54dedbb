// SPDX-License-Identifier: GPL-2.0
//! How long a breaker waits after its holder let go, beside fcntl(2) `F_SETLEASE`, and until the
//! holder learns of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use anyhow::{ensure, Context as _, Result};
use pinlease::Device;

use super::{
    breaker::Truncating,
    held::{Held, Kind},
    session::Session,
    turns::{nanoseconds, plain, Pairs},
};
use crate::measured::Unit;

pub(super) const NAMES: &[&str] = &["release_to_resume", "truncate_"];

/// What is truncated: the same work in every round.
const BYTES: usize = 1 << 20;

pub(super) fn measure(session: &Session<'_>) -> Result<()> {
    session.load("pinlease")?;
    let device = Device::open()?;
    let path = session.dir().join("bench");
    fill(&path)?;
    let mut breaker = Truncating::start(&path)?;
    let mut found: BTreeMap<Kind, Vec<f64>> = BTreeMap::new();
    for number in 0..=session.either(50, 5) {
        for kind in Kind::ALL {
            let took = round(&device, &path, &mut breaker, kind);
            let took = took.with_context(|| kind.to_string())?;
            // The first of each kind finds nothing in the caches.
            if number > 0 {
                found.entry(kind).or_default().push(took);
            }
        }
    }
    fs::remove_file(&path)?;
    for (name, ours, theirs) in [
        ("release_to_resume", Kind::Pinlease, Kind::FileLease),
        (
            "release_to_resume_pinned",
            Kind::Pinned,
            Kind::FileLeaseMapped,
        ),
    ] {
        let mut pairs = Pairs::default();
        for (ours, theirs) in found[&ours].iter().zip(&found[&theirs]) {
            pairs.add(*ours, *theirs);
        }
        let reference = format!("{ours}, released, beside {theirs}");
        session.tell(pairs.cost(name, &reference, Unit::Ns))?;
    }
    session.tell(plain(
        "truncate_unleased",
        "truncate(2) of what is truncated there, without a lease",
        Unit::Us,
        found[&Kind::Nothing].iter().map(|ns| ns / 1e3).collect(),
    ))
}

/// From the release to the return of truncate(2); without a lease, all of it. Nanoseconds.
fn round(device: &Device, path: &Path, breaker: &mut Truncating, kind: Kind) -> Result<f64> {
    fill(path)?;
    let mut held = Held::take(device, path, kind)?;
    breaker.begin()?;
    let released = if kind == Kind::Nothing {
        None
    } else {
        breaker.wait_asleep()?;
        Some(held.release()?)
    };
    let (begin, end) = breaker.end()?;
    ensure!(fs::metadata(path)?.len() == 0, "not truncated");
    let begin = released.unwrap_or(begin);
    Ok(nanoseconds(end.saturating_sub(begin)))
}

fn fill(path: &Path) -> Result<()> {
    fs::write(path, vec![0x5a; BYTES])?;
    // So that no writeback gets in the way.
    File::open(path)?.sync_all().context("fsync")
}
