// SPDX-License-Identifier: GPL-2.0
//! What the kernel tells in /proc and /sys.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};

use super::{slowness, Mapped};

/// Lines of /proc/locks that tell of leases of a file.
///
/// # Errors
///
/// It cannot be read.
pub fn leases(of: &Mapped) -> Result<Vec<String>> {
    // Only the inode: the device numbers that stat(2) gives are others on btrfs.
    let inode = format!(":{} ", of.file().metadata()?.ino());
    Ok(fs::read_to_string("/proc/locks")?
        .lines()
        .filter(|line| line.contains("LEASE") && line.contains(&inode))
        .map(Into::into)
        .collect())
}

/// The numbers of a file of `name value` lines, such as /proc/vmstat or
/// /proc/meminfo.
///
/// # Errors
///
/// It cannot be read.
pub fn counters(path: &str) -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let pairs = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?.trim_end_matches(':');
        Some((name.to_owned(), words.next()?.parse().ok()?))
    });
    Ok(pairs.collect())
}

/// One number of such a file.
///
/// # Errors
///
/// It has no such number.
pub fn counter(path: &str, name: &str) -> Result<u64> {
    let all = counters(path)?;
    all.get(name)
        .copied()
        .with_context(|| format!("{path} has no {name}"))
}

/// Snapshots whose pages had to come from the reserve, since the module was loaded.
///
/// # Errors
///
/// It is not loaded.
pub fn snapshots_from_reserve() -> Result<u64> {
    let path = "/sys/kernel/debug/pinlease/snapshots_from_reserve";
    let text = fs::read_to_string(path).context(path)?;
    text.trim().parse().context(path)
}

/// Pins that were taken and given back since the machine was booted, by whomever.
///
/// # Errors
///
/// The kernel does not tell.
pub fn pins_taken_and_given() -> Result<(u64, u64)> {
    // Adds up what each processor counted for itself.
    fs::write("/proc/sys/vm/stat_refresh", "1")?;
    let all = counters("/proc/vmstat")?;
    let number = |name| all.get(name).copied().context("/proc/vmstat");
    Ok((
        number("nr_foll_pin_acquired")?,
        number("nr_foll_pin_released")?,
    ))
}

/// Functions that pinlease has redirected; the guest has no livepatches.
///
/// # Errors
///
/// tracefs cannot be read.
pub fn hooked_functions() -> Result<Vec<String>> {
    pinlease::host::redirected_functions().context("list of traced functions")
}

/// Hit counters of the module's hooks by name.
///
/// # Errors
///
/// debugfs cannot be read.
pub fn hook_hits() -> Result<BTreeMap<String, u64>> {
    let path = "/sys/kernel/debug/pinlease/hooks";
    fs::read_to_string(path)
        .context(path)?
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().context("empty line")?;
            let hits = words.next_back().context("no hits")?;
            Ok((name.to_owned(), hits.parse()?))
        })
        .collect::<Result<_>>()
        .with_context(|| path.to_owned())
}

/// Waits until `condition` holds.
///
/// # Errors
///
/// It does not within `limit` (more where everything is slow), or cannot be
/// checked; `what` names it.
pub fn wait_for(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<Duration> {
    let limit = slowness::allow(limit);
    let begin = Instant::now();
    while !condition()? {
        if begin.elapsed() > limit {
            bail!("not within {limit:?}: {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(begin.elapsed())
}
