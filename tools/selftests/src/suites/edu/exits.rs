// SPDX-License-Identifier: GPL-2.0
//! The device, its driver or its user goes while it writes, with no IOMMU to stop it.

use std::{
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::{kill, Signal},
};

use crate::{
    harness::{Context, TestResult},
    support::{
        channel::{channel, readable},
        edu::{devices, rig, Domain, Edu, EduRig, EduState, Edus, Fault, Passes, TRANSFER},
        modules, process, residue, Fill, Mapped,
    },
};

/// A generation that the device does not write.
const SENTINEL: u64 = 1 << 20;

fn running(context: &Context) -> Result<EduRig> {
    let rig = EduRig::new(&context.path("exits"), 2, Fault::None)?;
    // One page: nothing is loaded in between.
    rig.edu.start(0, 1, 1, Passes::Same)?;
    rig.edu.next_transfer()?;
    Ok(rig)
}

/// Nothing is written from now on.
fn stays_untouched(mapped: &Mapped) -> Result<()> {
    mapped.stamp_by_cpu(SENTINEL);
    let before: Vec<_> = (0..mapped.pages()).map(|page| mapped.load(page)).collect();
    thread::sleep(3 * TRANSFER);
    let after: Vec<_> = (0..mapped.pages()).map(|page| mapped.load(page)).collect();
    ensure!(before == after, "the device wrote on");
    Ok(())
}

/// The driver is unbound from a device that writes; what is left of it can be
/// closed, and the device can be had again.
fn gone(
    context: &Context,
    leave: impl FnOnce(&str) -> Result<()>,
    come: impl FnOnce(&str) -> Result<()>,
) -> TestResult {
    let edus = Edus::usual(context, Domain::Passthrough, 1)?;
    let rig = running(context)?;
    let name = edus.name(rig.edu.status()?.address)?;
    leave(name)?;
    stays_untouched(&rig.mapped)?;
    let state = rig.edu.status()?.state;
    ensure!(state == EduState::Gone, "the device is {state:?}");
    for (what, result) in [
        ("start", rig.edu.start(0, 1, 1, Passes::One)),
        ("wait", rig.edu.wait(0)),
        ("stop", rig.edu.stop()),
    ] {
        ensure!(result == Err(Errno::ENODEV), "{what}: {result:?}");
    }
    // What is durable does not depend on the device.
    rig.mapped.file().sync_all()?;
    drop(rig);
    residue::none_left()?;
    come(name)?;
    drop(running(context)?);
    residue::none_left()
}

/// By sysfs.
pub fn unbind(context: &Context) -> TestResult {
    gone(context, devices::unbind, devices::bind)
}

/// The device itself goes.
pub fn unplug(context: &Context) -> TestResult {
    gone(context, devices::unplug, devices::plug_in)
}

/// The driver cannot be unloaded from under whoever has it open.
pub fn unload(context: &Context) -> TestResult {
    let _edus = Edus::usual(context, Domain::Passthrough, 1)?;
    let rig = running(context)?;
    let result = modules::unload("edu");
    ensure!(
        matches!(result, Err(Errno::EAGAIN | Errno::EBUSY)),
        "unload: {result:?}"
    );
    let result = modules::unload("pinlease");
    ensure!(
        matches!(result, Err(Errno::EAGAIN | Errno::EBUSY)),
        "unload of pinlease: {result:?}"
    );
    rig.edu.next_transfer()?;
    drop(rig);
    modules::unload_when_unused("edu")?;
    residue::none_left()
}

/// Whoever has the device closes it while it writes; the lease stays.
pub fn closed(context: &Context) -> TestResult {
    let _edus = Edus::usual(context, Domain::Passthrough, 1)?;
    let mapped = Mapped::create(&context.path("exits"), 2, Fill::Faulted)?;
    let edu = Edu::open()?;
    let lease = rig::lease(&mapped, &edu, 0..2, Fault::None)?;
    edu.start(0, 1, 1, Passes::Same)?;
    edu.next_transfer()?;
    drop(edu);
    stays_untouched(&mapped)?;
    drop(lease);
    residue::none_left()
}

/// The process is killed while its device writes: nothing is left, and nothing is
/// written.
pub fn killed(context: &Context) -> TestResult {
    let _edus = Edus::usual(context, Domain::Passthrough, 1)?;
    let path = context.path("exits");
    let mapped = Mapped::create(&path, 2, Fill::Faulted)?;
    let (sender, receiver) = channel::<()>()?;
    let holder = process::spawn(|| {
        let rig = EduRig::on(Mapped::open(&path, 2)?, Fault::None)?;
        rig.edu.start(0, 1, 1, Passes::Same)?;
        rig.edu.next_transfer()?;
        sender.send(&())?;
        thread::sleep(Duration::from_secs(60));
        Ok(())
    })?;
    ensure!(
        readable(receiver.as_fd(), Duration::from_secs(30))?,
        "the holder does not begin"
    );
    let begin = Instant::now();
    kill(holder.pid(), Signal::SIGKILL)?;
    holder.wait(Duration::from_secs(20)).context("the holder")?;
    println!("dead after {:?}", begin.elapsed());
    residue::none_left()?;
    stays_untouched(&mapped)
}
