// SPDX-License-Identifier: GPL-2.0
//! What `edu.h` says of errors.

use anyhow::{ensure, Result};
use nix::errno::Errno;
use pinlease::{Device, PinOptions};

use crate::{
    harness::{Context, TestResult},
    support::{
        edu::{Domain, Edu, EduRig, EduState, Edus, Fault, Passes, Revoked},
        page_size, residue, Fill, Mapped,
    },
};

fn fails<T: std::fmt::Debug>(what: &str, result: nix::Result<T>, with: Errno) -> Result<()> {
    ensure!(
        matches!(result, Err(errno) if errno == with),
        "{what}: {result:?} instead of {with}"
    );
    Ok(())
}

/// Each error that a device which works can be made to say.
pub fn check(context: &Context) -> TestResult {
    let edus = Edus::usual(context, Domain::AsBooted, 1)?;
    without_memory(context)?;
    with_memory(context)?;
    let all: Vec<Edu> = (0..edus.count())
        .map(|_| Edu::open())
        .collect::<nix::Result<_>>()?;
    fails("one more open", Edu::open(), Errno::EBUSY)?;
    drop(all);
    drop(Edu::open()?);
    residue::none_left()
}

fn without_memory(context: &Context) -> Result<()> {
    let edu = Edu::open()?;
    ensure!(edu.status()?.state == EduState::Empty, "it has memory");
    fails("start", edu.start(0, 1, 1, Passes::One), Errno::ENXIO)?;
    fails("wait", edu.wait(0), Errno::ENXIO)?;
    fails("stop", edu.stop(), Errno::ENXIO)?;
    let mapped = Mapped::create(&context.path("errors"), 2, Fill::Faulted)?;
    let lease = Device::open()?.lease(&mapped).acquire()?;
    let pin = lease.pin(mapped.address(0), mapped.length(), PinOptions::default())?;
    fails("no lease", edu.attach_raw(0, pin.id(), 0), Errno::EBADF)?;
    fails(
        "no pin",
        edu.attach(&lease, pin.id() + 1, Fault::None),
        Errno::ENOENT,
    )?;
    fails(
        "a fault",
        edu.attach(&lease, pin.id(), Fault::Rogue),
        Errno::EPERM,
    )?;
    fails("flags", edu.attach_raw(0, 0, 1 << 31), Errno::EINVAL)?;
    let address = mapped.address(0);
    let unaligned = edu.pin_raw(address.wrapping_add(8), page_size());
    fails("an unaligned pin", unaligned, Errno::EINVAL)?;
    fails("an empty pin", edu.pin_raw(address, 0), Errno::EINVAL)?;
    // None of these has used up its only time.
    edu.attach(&lease, pin.id(), Fault::None)?;
    fails(
        "a second attachment",
        edu.attach(&lease, pin.id(), Fault::None),
        Errno::EBUSY,
    )?;
    fails(
        "a second pin",
        edu.pin_raw(address, page_size()),
        Errno::EBUSY,
    )
}

fn with_memory(context: &Context) -> Result<()> {
    let mut rig = EduRig::new(&context.path("errors"), 2, Fault::None)?;
    let start = |first, pages, generation| rig.edu.start(first, pages, generation, Passes::One);
    fails("no page", start(0, 0, 1), Errno::EINVAL)?;
    fails("beyond the end", start(1, 2, 1), Errno::EINVAL)?;
    fails("far beyond", start(u64::MAX, 2, 1), Errno::EINVAL)?;
    fails("a generation", start(0, 1, 1 << 32), Errno::EINVAL)?;
    rig.edu.start(0, 1, 1, Passes::Same)?;
    fails("a second start", start(0, 1, 1), Errno::EBUSY)?;
    rig.edu.wait(1)?;
    rig.edu.stop()?;
    fails("waiting for nothing", rig.edu.wait(1000), Errno::EIO)?;
    rig.edu.start(0, 1, 1, Passes::Same)?;
    rig.revoke(Revoked::Closed)?;
    fails("start", rig.edu.start(0, 1, 1, Passes::One), Errno::ENODEV)?;
    fails("wait", rig.edu.wait(0), Errno::ENODEV)?;
    fails("stop", rig.edu.stop(), Errno::ENODEV)
}
