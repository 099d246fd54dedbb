// SPDX-License-Identifier: GPL-2.0
//! A lease whose pins cannot end yet.

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::{Policy, State};

use super::{AGES, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{
        expect::one_of,
        freeze::Frozen,
        modules,
        proc::wait_for,
        residue::{all_leases, none_left},
        Act, Fill, HolderPlan, Layer, Mapped, Scratch,
    },
};

/// On a frozen filesystem nothing can become dirty: a closed lease drains until
/// the thaw, and can be seen to.
pub fn draining(context: &Context) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let mapped = Mapped::create(&scratch.dir().join("f"), 8, Fill::Faulted)?;
    let mut holder = HolderPlan::new(0..8, Policy::Block, AGES).start(&mapped)?;
    let id = holder.lease();
    let frozen = Frozen::freeze(scratch.dir())?;
    holder.act(&Act::Close)?.result()?;
    let drains = || {
        let leases = all_leases()?;
        Ok(leases.len() == 1 && leases[0].id == id && leases[0].state == State::Draining)
    };
    let waited = wait_for("the lease drains", LIMIT, drains);
    let leases = all_leases();
    let unloading = modules::unload("pinlease");
    frozen.thaw()?;
    waited.with_context(|| format!("{leases:?}"))?;
    ensure!(leases?[0].pins == 1, "a draining lease without pins");
    one_of("rmmod", unloading, &[Errno::EBUSY, Errno::EAGAIN])?;
    none_left().context("after the thaw")?;
    holder.end()?;
    drop(mapped);
    drop(scratch);
    Ok(())
}
