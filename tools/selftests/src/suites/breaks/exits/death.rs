// SPDX-License-Identifier: GPL-2.0
//! The holder dies, or cannot.

use std::{fs::OpenOptions, io::Write, time::Duration};

use anyhow::{ensure, Context as _};
use nix::{errno::Errno, unistd::truncate};
use pinlease::Policy;

use super::{cut, file, hold, resumes, waits, AGES, GRACE, LIMIT};
use crate::{
    harness::{Context, TestResult},
    support::{
        channel::channel,
        expect::{errno, one_of},
        freeze::Frozen,
        modules::{self, Parameterised},
        proc::wait_for,
        process, residue, Fill, HolderPlan, Layer, Mapped, Scratch,
    },
};

/// Somebody kills the holder, long before its grace is over.
pub fn killed(context: &Context) -> TestResult {
    for policy in [Policy::Kill, Policy::Revoke, Policy::Block] {
        let mapped = file(context)?;
        let holder = HolderPlan::new(0..mapped.pages(), policy, AGES).start(&mapped)?;
        let breaking = cut(mapped.path())?;
        holder.kill()?;
        resumes(breaking).with_context(|| policy.to_string())?;
        holder.gone(LIMIT)?;
    }
    Ok(())
}

/// The holder sleeps where no signal reaches it: the breaker gives up after the
/// administrator's maximum, and all is well when the holder can die.
pub fn stuck(context: &Context) -> TestResult {
    const MAXIMUM: Duration = Duration::from_millis(700);
    let _modules = Parameterised::load(&context.modules, c"grace_max_ms=700")?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, Layer::Plain)?;
    let mapped = Mapped::create(&context.path("stuck"), 8, Fill::Faulted)?;
    let mut trap = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(scratch.dir().join("trap"))?;
    let (say, mut said) = channel::<u32>()?;
    let frozen = Frozen::freeze(scratch.dir())?;
    let holder = process::spawn(|| {
        let _held = hold(&mapped, Policy::Kill, GRACE)?;
        say.send(&1)?;
        Ok(trap.write_all(b"until the thaw")?)
    })?;
    said.receive(LIMIT)?.context("the holder failed")?;
    let pid = holder.pid();
    let is_stuck = || Ok(process::whereabouts(pid).contains("D (disk sleep)"));
    wait_for("the holder is stuck", LIMIT, is_stuck)?;

    let broken = cut(mapped.path())?.end(LIMIT)?;
    println!(
        "the holder is stuck: {:?} after {:?}",
        broken.result(),
        broken.took()
    );
    errno("a breaker of who cannot die", broken.result(), Errno::EBUSY)?;
    ensure!(
        broken.took() >= GRACE + MAXIMUM,
        "gave up after {:?}",
        broken.took()
    );
    let busy = [Errno::EBUSY, Errno::EAGAIN];
    one_of("rmmod", modules::unload("pinlease"), &busy)?;
    frozen.thaw()?;
    let status = holder.wait(LIMIT)?;
    ensure!(
        matches!(status, nix::sys::wait::WaitStatus::Signaled(..)),
        "the holder was {status:?}"
    );
    residue::none_left()?;
    truncate(mapped.path(), 0).context("truncate when the holder is gone")?;
    drop((trap, mapped));
    drop(scratch);
    Ok(())
}

/// A module under a break cannot be unloaded; after it, it can.
pub fn unload(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let holder = HolderPlan::new(0..mapped.pages(), Policy::Block, AGES).start(&mapped)?;
    let breaking = cut(mapped.path())?;
    let busy = [Errno::EBUSY, Errno::EAGAIN];
    for name in ["dmasim", "pinlease"] {
        one_of(&format!("rmmod {name}"), modules::unload(name), &busy)?;
    }
    waits(&breaking)?;
    holder.end()?;
    resumes(breaking)?;
    modules::unload_all()?;
    truncate(mapped.path(), 1).context("without the module")?;
    context.load_modules()
}
