// SPDX-License-Identifier: GPL-2.0
//! `pinlease doctor`.

mod check;
mod device;
mod dkms;
mod filesystems;
mod kernel;
mod module;
mod neighbours;
mod security;
mod trial;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use check::{Check, Verdict};
use clap::Args;
use pinlease::host;
use serde::Serialize;

/// Check all that leases need on this system, and say what to do where something is missing.
///
/// One line for each thing: ok, warning or failed, what was found, and what to do about it. The
/// exit status is 0 when leases can be had, whatever is warned of, else 1. Run it as the user who
/// shall have the leases; root sees more.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Have a lease on a new file in this folder for a moment, too, which proves it.
    #[arg(long, value_name = "FOLDER")]
    r#try: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// All of it, as JSON has it.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether leases can be had.
    healthy: bool,
    checks: &'a [Check],
}

impl Doctor {
    /// Prints the report.
    pub fn run(self) -> Result<ExitCode> {
        let checks = self.checks();
        let healthy = is_healthy(&checks);
        if self.json {
            let checks = checks.as_slice();
            println!("{}", serde_json::to_string(&Report { healthy, checks })?);
        } else {
            checks.iter().for_each(|check| println!("{check}"));
        }
        Ok(if healthy {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// From the kernel to the files.
    fn checks(&self) -> Vec<Check> {
        let loaded = host::module_version().is_some();
        let mut checks = kernel::checks();
        checks.extend(dkms::checks(loaded));
        checks.extend(security::checks(loaded));
        checks.extend(module::checks());
        let (opened, device) = device::checks();
        checks.extend(opened);
        let quiescence = device.as_ref().and_then(|device| device.quiescence().ok());
        checks.extend(neighbours::checks(quiescence.map(|state| state.no_hooks)));
        checks.extend(filesystems::checks());
        if let (Some(folder), Some(device)) = (&self.r#try, &device) {
            checks.push(trial::check(device, folder));
        }
        checks
    }
}

/// Warnings do not keep leases from being had.
fn is_healthy(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict < Verdict::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health() {
        let (ok, warning) = (Check::ok("a", "b"), Check::warning("a", "b", "c"));
        assert!(is_healthy(&[ok.clone(), warning]));
        assert!(!is_healthy(&[ok, Check::failed("a", "b", "c")]));
    }

    #[test]
    fn json() {
        let checks = [Check::ok("a", "b")];
        let report = Report {
            healthy: true,
            checks: &checks,
        };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"healthy":true,"checks":[{"name":"a","verdict":"ok","found":"b","advice":null}]}"#
        );
    }
}
