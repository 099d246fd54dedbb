// SPDX-License-Identifier: GPL-2.0
//! `kernel.ftrace_enabled`, which used to switch off what ftrace redirects.

use anyhow::{ensure, Context as _};
use pinlease::AcquireError;

use super::{no_hooks, rig, scenario};
use crate::{
    harness::{Context, TestResult},
    support::sysctl::Sysctl,
};

const KNOB: &str = "kernel.ftrace_enabled";

/// Where it can be switched off, no lease can be had; under a lease it cannot.
pub(super) fn ftrace_enabled(context: &Context) -> TestResult {
    context.load_modules()?;
    no_hooks()?;
    match Sysctl::set(KNOB, 0) {
        Ok(_off) => {
            let refused = rig(context)
                .err()
                .context("a lease was had without ftrace")?;
            ensure!(refused.is::<AcquireError>(), "{refused:#}");
            println!("no lease without ftrace: {refused:#}");
        }
        Err(refused) => println!("ftrace cannot be switched off at all: {refused:#}"),
    }
    let rig = rig(context)?;
    scenario(&rig, 1)?;
    let switched = Sysctl::set(KNOB, 0);
    ensure!(switched.is_err(), "ftrace was switched off under a lease");
    scenario(&rig, 3).context("after it was tried")
}
