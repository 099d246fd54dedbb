// SPDX-License-Identifier: GPL-2.0
//! `pinlease status`.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use pinlease::{host, Device, ListError, DEVICE_PATH};
use serde::Serialize;

use crate::units::bytes;

/// Tell whether leases can be had here, and what is leased.
///
/// The exit status is 0 when they can, else 1.
#[derive(Args, Debug)]
pub struct Status {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is known.
#[derive(Debug, Serialize)]
struct Report {
    /// The module's version, if it is loaded.
    module: Option<String>,
    /// Why the device node cannot be opened, if it cannot.
    device_error: Option<String>,
    /// What is leased, if the module tells.
    leases: Option<Totals>,
    /// Redirected functions, if they may be seen.
    hooks: Option<Vec<String>>,
    /// Leases of the kernel's lock core, which other programs may have too.
    locks: Vec<Lock>,
}

/// Sums over all leases.
#[derive(Debug, Default, Eq, PartialEq, Serialize)]
struct Totals {
    leases: u64,
    pins: u64,
    pinned_bytes: u64,
    /// How many of the leases let others pin.
    grants: u64,
    granted_bytes: u64,
}

/// A line of /proc/locks.
#[derive(Debug, Eq, PartialEq, Serialize)]
struct Lock {
    state: String,
    pid: String,
    /// `major:minor:inode`.
    inode: String,
}

impl Status {
    /// Prints the report.
    pub fn run(self) -> Result<ExitCode> {
        let device = Device::open();
        let report = Report {
            module: host::module_version(),
            leases: device.as_ref().ok().and_then(|device| totals(device).ok()),
            device_error: device.err().map(|error| error.to_string()),
            hooks: host::redirected_functions().ok(),
            locks: locks(&fs::read_to_string("/proc/locks").context("/proc/locks")?),
        };
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            report.print();
        }
        Ok(if report.device_error.is_none() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Sums up all leases.
fn totals(device: &Device) -> Result<Totals, ListError> {
    device.leases().try_fold(Totals::default(), |sum, lease| {
        let lease = lease?;
        Ok(Totals {
            leases: sum.leases + 1,
            pins: sum.pins + lease.pins,
            pinned_bytes: sum.pinned_bytes + lease.pinned_bytes,
            grants: sum.grants + u64::from(lease.grant),
            granted_bytes: sum.granted_bytes + lease.granted_bytes,
        })
    })
}

impl Report {
    fn print(&self) {
        match &self.module {
            Some(version) => println!("module: loaded, version {version}"),
            None => println!("module: not loaded"),
        }
        match &self.device_error {
            None => println!("device: {DEVICE_PATH} can be opened"),
            Some(error) => println!("device: {error}"),
        }
        if let Some(all) = &self.leases {
            println!(
                "leases: {}, with {} pins of {} bytes",
                all.leases,
                all.pins,
                bytes(all.pinned_bytes)
            );
            if all.grants > 0 {
                println!(
                    "grants: {}, with {} bytes pinned under them",
                    all.grants,
                    bytes(all.granted_bytes)
                );
            }
        }
        match &self.hooks {
            None => println!("hooks:  cannot be seen; run as root with tracefs mounted"),
            Some(hooks) if hooks.is_empty() => println!("hooks:  none, as nothing is leased"),
            Some(hooks) => println!("hooks:  {}", hooks.join(" ")),
        }
        println!("locks:  {} leases in /proc/locks", self.locks.len());
        for lock in &self.locks {
            println!("  {} process {} inode {}", lock.state, lock.pid, lock.inode);
        }
    }
}

/// Lines look like `1: LEASE  ACTIVE    READ 1234 fd:00:5678 0 EOF`.
fn locks(text: &str) -> Vec<Lock> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|&word| word != "LEASE");
            words.next()?;
            let state = words.next()?.to_lowercase();
            let mut rest = words.skip(1);
            Some(Lock {
                state,
                pid: rest.next()?.into(),
                inode: rest.next()?.into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leases() {
        let text = "1: POSIX  ADVISORY  WRITE 55 08:02:9 0 EOF\n\
                    2: LEASE  BREAKING  READ 1234 fd:00:5678 0 EOF\n\
                    2: -> LEASE  BREAKER   READ 99 fd:00:5678 0 EOF\n";
        let found = locks(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].state, "breaking");
        assert_eq!(
            (found[1].pid.as_str(), found[1].inode.as_str()),
            ("99", "fd:00:5678")
        );
    }
}
