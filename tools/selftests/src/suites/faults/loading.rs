// SPDX-License-Identifier: GPL-2.0
//! The module is loaded while something fails.

use std::time::Duration;

use anyhow::{ensure, Context as _};
use pinlease::Device;

use super::injector::{Injector, Numbers};
use crate::{
    harness::{Context, TestResult},
    support::modules,
};

/// After this the faults are tried with gaps.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn load(context: &Context) -> TestResult {
    let injector = Injector::open()?;
    modules::unload_all()?;
    let (mut refused, mut loaded, mut end) = (0, 0, 0);
    for nth in Numbers::new(PATIENCE, 4) {
        end = nth;
        let (result, hit) = injector.inject(nth, || modules::load(&context.modules, "pinlease"))?;
        match &result {
            Ok(()) => loaded += u32::from(hit),
            Err(error) => {
                ensure!(hit, "it failed without a fault: {error:#}");
                refused += 1;
                ensure!(
                    !modules::is_loaded("pinlease"),
                    "fault {nth}: it failed, and is there"
                );
                let again = modules::load(&context.modules, "pinlease");
                again.with_context(|| format!("after fault {nth}"))?;
            }
        }
        Device::open().with_context(|| format!("after fault {nth}"))?;
        modules::unload_all().with_context(|| format!("after fault {nth}"))?;
        if !hit {
            break;
        }
    }
    println!(
        "{} faults below {end}: {refused} times it was not loaded, {loaded} times it was",
        refused + loaded
    );
    ensure!(refused > 0, "no fault was injected that matters");
    modules::ensure(&context.modules, context.side)
}
