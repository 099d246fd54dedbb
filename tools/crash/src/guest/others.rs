// SPDX-License-Identifier: GPL-2.0
//! Processes that neither have a device nor publish: one takes memory away, one asks for durability.

use std::{fs, fs::File, path::Path, thread, time::Duration};

use anyhow::Result;
use fastrand::Rng;
use nix::unistd::{sync, syncfs};
use selftests::support::{sysctl::drop_caches, Hog};

use super::recipe::Pressure;

/// Bytes that are left to the others: with less the kernel would kill.
const LEAVE: u64 = 80 << 20;

/// Runs without end.
///
/// # Errors
///
/// A call fails.
pub fn squeeze(pressure: Pressure, seed: u64) -> Result<()> {
    let mut random = Rng::with_seed(seed.wrapping_mul(41));
    loop {
        thread::sleep(Duration::from_millis(random.u64(..800)));
        match (pressure, random.u8(..3)) {
            (Pressure::None, _) => {}
            (_, 0) => drop_caches()?,
            (Pressure::Memory, 1) => {
                let hog = Hog::take(LEAVE)?;
                thread::sleep(Duration::from_millis(random.u64(..2000)));
                drop(hog);
            }
            _ => fs::write("/proc/sys/vm/compact_memory", "1")?,
        }
    }
}

/// Runs without end.
///
/// # Errors
///
/// A call fails.
pub fn ask(folder: &Path, seed: u64) -> Result<()> {
    let mut random = Rng::with_seed(seed.wrapping_mul(43));
    let folder = File::open(folder)?;
    loop {
        thread::sleep(Duration::from_millis(random.u64(..300)));
        if random.bool() {
            syncfs(&folder)?;
        } else {
            sync();
        }
    }
}
