// SPDX-License-Identifier: GPL-2.0
//! A holder that does not answer, because it is stopped: for how long it holds up
//! root, and that root can always go on.

use std::{os::unix::fs::fchown, time::Duration};

use anyhow::{ensure, Result};
use nix::{
    errno::Errno,
    sys::signal::{kill, Signal},
};
use pinlease::Policy;

use crate::{
    harness::{Context, TestResult},
    support::{
        expect::{errno, success},
        modules::Parameterised,
        process, residue, Breaking, Broken, Fill, HolderPlan, Mapped,
    },
};

const PAGES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(20);

/// The administrator's maximum here, and the grace that the holder takes.
const MAXIMUM: Duration = Duration::from_millis(800);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(4);

fn cut(mapped: &Mapped) -> Result<Broken> {
    Breaking::truncate(mapped.path(), 0)?.end(LIMIT)
}

/// Each policy, with a device that never pauses.
pub fn silent(context: &Context) -> TestResult {
    let modules = Parameterised::load(&context.modules, c"grace_max_ms=800")?;
    for policy in Policy::ALL {
        let mapped = Mapped::create(&context.path("silent"), PAGES, Fill::Faulted)?;
        let nobody = Some(process::NOBODY);
        fchown(mapped.file(), nobody, nobody)?;
        let holder = HolderPlan::new(0..PAGES, policy, MAXIMUM)
            .nobody()
            .start(&mapped)?;
        kill(holder.pid(), Signal::SIGSTOP)?;

        let first = cut(&mapped)?;
        println!("{policy}: {:?} after {:?}", first.result(), first.took());
        let (expected, most) = match policy {
            Policy::Kill | Policy::Revoke => (Ok(()), MAXIMUM),
            Policy::Block => (Err(Errno::EBUSY), MAXIMUM),
            _ => (Err(Errno::ETXTBSY), Duration::ZERO),
        };
        let what = policy.to_string();
        match expected {
            Ok(()) => success(&what, first.result())?,
            Err(expected) => errno(&what, first.result(), expected)?,
        }
        ensure!(
            first.took() < most + SLACK,
            "{policy} held root up for {:?}",
            first.took()
        );

        // Root need not wait at all.
        kill(holder.pid(), Signal::SIGKILL).or_else(|error| match error {
            Errno::ESRCH => Ok(()),
            error => Err(error),
        })?;
        holder.gone(LIMIT)?;
        success("when the holder is gone", cut(&mapped)?.result())?;
        residue::none_left()?;
    }
    drop(modules);
    Ok(())
}
