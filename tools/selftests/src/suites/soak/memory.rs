// SPDX-License-Identifier: GPL-2.0
//! Takes memory away: reclaim, empty caches, compaction, and a hog.

use std::{fs, time::Duration};

use super::{tally::Count, Ground};
use crate::{
    harness::TestResult,
    support::{sysctl::drop_caches, Cgroup, Hog},
};

/// What the hog leaves to the others: less, and the kernel would kill.
const LEAVE: u64 = 80 << 20;

/// Runs until the end.
pub fn run(ground: &Ground, cgroup: Option<&Cgroup>) -> TestResult {
    let mut random = ground.random(102);
    ground.wait_for_devices();
    // To fill all memory takes longer than a short soak.
    let first = u8::from(!ground.long);
    let mut choice = first;
    ground.until_stopped(|| {
        match choice {
            0 => {
                let hog = Hog::take(LEAVE)?;
                ground.tally.raise(Count::Hog, hog.taken());
                std::thread::sleep(Duration::from_millis(random.u64(..3000)));
            }
            1 => drop_caches()?,
            2 => fs::write("/proc/sys/vm/compact_memory", "1")?,
            _ => {
                if let Some(cgroup) = cgroup {
                    cgroup.reclaim();
                }
            }
        }
        ground.tally.count(Count::Squeezes);
        choice = random.u8(first..6);
        std::thread::sleep(Duration::from_millis(random.u64(..1000)));
        Ok(())
    })
}
