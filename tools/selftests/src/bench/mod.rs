// SPDX-License-Identifier: GPL-2.0
//! What takes time: how long a breaker waits after its holder let go, beside
//! fcntl(2) `F_SETLEASE`; how much a writer writes beside a lease, and without
//! one.  All in the same guest, in turn.

mod breaker;
mod figures;
mod held;
mod median;
mod throttling;

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use pinlease::Device;

use crate::{harness::Side, support::modules};
use breaker::Truncating;
use figures::Figures;
use held::{Held, Kind};
pub use throttling::{bench_throttling, Throttling};

/// What is truncated: the same work in every round.
const BYTES: usize = 1 << 20;

/// Measures and prints release-to-resume; `rounds` of every kind of lease.
///
/// # Errors
///
/// A breaker does not wait, or does not return.
pub fn bench_break(dir: &Path, modules: &Path, rounds: u32) -> Result<()> {
    modules::ensure(modules, Side::Pinlease).context("loading modules")?;
    let device = Device::open()?;
    let path = dir.join("bench");
    fill(&path)?;
    let mut breaker = Truncating::start(&path)?;
    let mut figures = Figures::default();
    for number in 0..=rounds {
        for kind in Kind::ALL {
            let took = round(&device, &path, &mut breaker, kind);
            let took = took.with_context(|| kind.to_string())?;
            // The first of each kind finds nothing in the caches.
            if number > 0 {
                figures.add(kind, took);
            }
        }
    }
    fs::remove_file(&path)?;
    print!("{figures}");
    Ok(())
}

/// From the release to the return of truncate(2); without a lease, all of it.
fn round(device: &Device, path: &Path, breaker: &mut Truncating, kind: Kind) -> Result<Duration> {
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
    Ok(end.saturating_sub(released.unwrap_or(begin)))
}

fn fill(path: &Path) -> Result<()> {
    fs::write(path, vec![0x5a; BYTES])?;
    // So that no writeback gets in the way.
    File::open(path)?.sync_all().context("fsync")
}
