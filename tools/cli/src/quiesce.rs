// SPDX-License-Identifier: GPL-2.0
//! `pinlease quiesce`.

use std::{
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};
use clap::Args;
use pinlease::{Device, LeaseInfo};

use crate::units::{printable, time};

/// Let no new leases in and wait until the kernel's functions are no longer redirected, so that a
/// livepatch of them can be loaded.
///
/// Leases that are there stay until their holders end them; who they are is printed while waiting.
/// New leases are refused from the beginning on, also if the waiting ends by --timeout or a signal,
/// until 'pinlease quiesce --end' or until the module is unloaded. Only root may do this.
#[derive(Args, Debug)]
pub struct Quiesce {
    /// Allow leases again.
    #[arg(long, conflicts_with = "timeout")]
    end: bool,
    /// Wait no longer than this, such as 30s or 5min; 0s: not at all.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// How often is looked whether the last lease ended.
const INTERVAL: Duration = Duration::from_millis(200);

impl Quiesce {
    /// Waits until all hooks are gone; 1 when they are not in time.
    pub fn run(self) -> Result<ExitCode> {
        let device = Device::open()?;
        if self.end {
            device.end_quiescence()?;
            println!("new leases are allowed");
            return Ok(ExitCode::SUCCESS);
        }
        let begin = Instant::now();
        let mut quiescence = device.quiesce()?;
        println!("new leases are refused");
        let mut shown = Vec::new();
        while !quiescence.no_hooks {
            shown = show_changes(&device, shown)?;
            if self.timeout.is_some_and(|limit| begin.elapsed() >= limit) {
                bail!(
                    "{} leases are still there after {}, and with them the hooks; end them, or wait \
                     again; new leases stay refused until 'pinlease quiesce --end'",
                    shown.len(),
                    time(begin.elapsed())
                );
            }
            sleep(INTERVAL);
            quiescence = device.quiescence()?;
            if !quiescence.no_new_leases {
                bail!("somebody said 'pinlease quiesce --end' meanwhile; begin again");
            }
        }
        println!("all hooks are out; a livepatch can be loaded");
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the holders when the leases are others than those of the ids `before`; gives the ids now.
fn show_changes(device: &Device, before: Vec<u64>) -> Result<Vec<u64>> {
    let leases: Vec<LeaseInfo> = device.leases().collect::<Result<_, _>>()?;
    let now: Vec<u64> = leases.iter().map(|lease| lease.id).collect();
    if now != before {
        leases.iter().for_each(|lease| println!("{}", line(lease)));
    }
    Ok(now)
}

/// Such as `waiting for lease 7 of process 4711 (cam), /srv/frames`.
fn line(lease: &LeaseInfo) -> String {
    let holder = lease.pid.map_or_else(
        || format!("a process of user {} that is not visible here", lease.uid),
        |pid| format!("process {pid} ({})", printable(&lease.comm)),
    );
    let path = lease.path.as_ref().map_or_else(
        || format!("inode {}", lease.inode),
        |path| printable(&path.to_string_lossy()),
    );
    format!("waiting for lease {} of {holder}, {path}", lease.id)
}

#[cfg(test)]
mod tests {
    use pinlease::uapi;

    use super::*;

    #[test]
    fn holders() {
        let raw = uapi::pinlease_next {
            id: 7,
            inode: 13,
            uid: 5,
            ..Default::default()
        };
        assert_eq!(
            line(&LeaseInfo::from_raw(&raw, b"")),
            "waiting for lease 7 of a process of user 5 that is not visible here, inode 13"
        );
        let mut raw = uapi::pinlease_next {
            pid: 4711,
            path_size: 3,
            ..raw
        };
        raw.comm[0] = b'a' as _;
        assert_eq!(
            line(&LeaseInfo::from_raw(&raw, b"/a\0")),
            "waiting for lease 7 of process 4711 (a), /a"
        );
    }
}
