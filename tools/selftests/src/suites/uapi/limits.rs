// SPDX-License-Identifier: GPL-2.0
//! Limits: locked memory, open files, leases, pins.

use std::os::fd::AsRawFd;

use anyhow::{bail, ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::resource::{getrlimit, setrlimit, Resource},
};
use pinlease::{AcquireError, Lease, PinError, PinOptions, Policy};

use super::common::{lease, setup};
use crate::{
    harness::{Context, TestResult},
    support::{expect::errno, modules::Parameterised, page_size, process, Mapped},
};

const PAGE: usize = page_size();

/// More leases than any administrator should allow by default to one user.
const MANY: u64 = 1 << 17;

fn give_to_nobody(mapped: &Mapped) -> Result<()> {
    let nobody = Some(process::NOBODY);
    std::os::unix::fs::fchown(mapped.file(), nobody, nobody).context("fchown")
}

/// RLIMIT_MEMLOCK counts all pins of an unprivileged process, and gets back
/// what is unpinned.
pub fn memlock(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    give_to_nobody(&mapped)?;
    let limit = 3 * PAGE as u64;
    let (device, mapped) = (&device, &mapped);
    process::as_nobody(move || {
        setrlimit(Resource::RLIMIT_MEMLOCK, limit, limit)?;
        let lease = lease(device, mapped)?;
        let pin =
            |page, pages| lease.pin(mapped.address(page), pages * PAGE, PinOptions::default());
        errno(
            "4 of 3 pages",
            pin(0, 4).map_err(PinError::errno),
            Errno::ENOMEM,
        )?;
        let first = pin(0, 2).context("2 of 3 pages")?;
        let second = pin(2, 2).map_err(PinError::errno);
        errno("2 more of 3 pages", second, Errno::ENOMEM)?;
        let second = pin(2, 1).context("1 more of 3 pages")?;
        first.release()?;
        let third = pin(0, 2).context("what was unpinned counts no more")?;
        ensure!(lease.query()?.pins == 2, "failed pins are counted");
        drop((second, third));
        Ok(())
    })?;
    // The administrator is not bound.
    setrlimit(Resource::RLIMIT_MEMLOCK, PAGE as u64, PAGE as u64)?;
    let lease = lease(device, mapped)?;
    let pin = lease.pin(mapped.address(0), 4 * PAGE, PinOptions::default())?;
    Ok(pin.release()?)
}

/// A lease needs a free file descriptor.
pub fn files(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // The lowest free descriptor is the first that is not allowed.
    let free = std::fs::File::open("/dev/null")?.as_raw_fd();
    setrlimit(Resource::RLIMIT_NOFILE, free as u64, hard)?;
    let result = device.lease(&mapped).policy(Policy::Refuse).acquire();
    errno(
        "no descriptor left",
        result.map_err(AcquireError::errno),
        Errno::EMFILE,
    )?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    lease(&device, &mapped).map(drop)
}

/// A user cannot have any number of leases.
pub fn leases(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    give_to_nobody(&mapped)?;
    setrlimit(Resource::RLIMIT_NOFILE, MANY, MANY)?;
    let (device, mapped) = (&device, &mapped);
    process::as_nobody(move || {
        let mut held: Vec<Lease> = Vec::new();
        for count in 0..MANY - 64 {
            match device.lease(mapped).policy(Policy::Refuse).acquire() {
                Ok(lease) => held.push(lease),
                Err(AcquireError::TooManyLeases) => {
                    println!("EDQUOT after {count} leases");
                    held.pop().context("not a single lease is allowed")?;
                    lease(device, mapped).context("after one was closed")?;
                    return Ok(());
                }
                Err(error) => bail!("after {count} leases: {error}"),
            }
        }
        bail!("no limit on leases within {MANY}")
    })?;
    lease(device, mapped).map(drop).context("another user")
}

/// A lease has as many pins as the administrator allows, and no more.
pub fn pins(context: &Context) -> TestResult {
    let _modules = Parameterised::load(&context.modules, c"pins_per_lease=100")?;
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    let pin = || lease.pin(mapped.address(0), PAGE, PinOptions::default());
    let mut held = (0..100)
        .map(|_| pin())
        .collect::<Result<Vec<_>, _>>()
        .context("100 pins")?;
    errno("one more", pin().map_err(PinError::errno), Errno::EDQUOT)?;
    held.pop().context("the last")?.release()?;
    pin().context("after one was released")?.release()?;
    Ok(())
}
