// SPDX-License-Identifier: GPL-2.0
//! What the tests of the interface share, and what all commands have in common.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::Result;
use nix::errno::Errno;
use pinlease::{issue, uapi, Argument, Device, Lease, Policy};

use crate::{
    harness::{Context, TestResult},
    support::{
        expect::{errno, one_of, success},
        extended::{issue_newer, issue_sized, issue_unmapped, with_size, Sized32},
        Fill, Mapped,
    },
};

/// The device, and a file of four pages.
pub fn setup(context: &Context) -> Result<(Device, Mapped)> {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("uapi"), 4, Fill::Faulted)?;
    Ok((Device::open()?, mapped))
}

/// A lease on all of `mapped`.
pub fn lease(device: &Device, mapped: &Mapped) -> Result<Lease> {
    Ok(device.lease(mapped).policy(Policy::Refuse).acquire()?)
}

/// A request for all of `mapped`.
pub fn request(mapped: &Mapped) -> uapi::pinlease_acquire {
    with_size(uapi::pinlease_acquire {
        flags: uapi::PINLEASE_ACQUIRE_CLOEXEC,
        fd: mapped.as_fd().as_raw_fd(),
        policy: uapi::PINLEASE_POLICY_REFUSE,
        ..Default::default()
    })
}

/// What every extensible structure must do with its size.
pub fn check_sizes<T: Sized32>(fd: impl AsFd, argument: T) -> TestResult {
    check_grown(fd, argument, size_of::<T>())
}

/// The same of a structure that had `first` bytes in its first version.
pub fn check_grown<T: Sized32>(fd: impl AsFd, argument: T, first: usize) -> TestResult {
    for old in first..size_of::<T>() {
        let result = issue_sized(&fd, argument, old);
        success(&format!("size {old}, of an older program"), result)?;
    }
    for short in [0, 1, 4, first - 8, first - 1] {
        let result = issue_sized(&fd, argument, short);
        errno(&format!("size {short}"), result, Errno::EINVAL)?;
    }
    errno("unknown field", issue_newer(&fd, argument, 1), Errno::E2BIG)?;
    // Whether its end is looked for first is the module's affair.
    let absurd = issue_sized(&fd, argument, usize::MAX);
    one_of("absurd size", absurd, &[Errno::E2BIG, Errno::EFAULT])?;
    errno("unmapped", issue_unmapped(&fd, T::NR), Errno::EFAULT)?;
    success("newer program", issue_newer(&fd, argument, 0))?;
    Ok(())
}

/// Every command on the wrong descriptor, and commands that do not exist.
pub fn commands(context: &Context) -> TestResult {
    let (device, mapped) = setup(context)?;
    let lease = lease(&device, &mapped)?;
    wrong::<uapi::pinlease_pin>("PIN on the device", &device)?;
    wrong::<uapi::pinlease_unpin>("UNPIN on the device", &device)?;
    wrong::<uapi::pinlease_mark>("MARK on the device", &device)?;
    wrong::<uapi::pinlease_query>("QUERY on the device", &device)?;
    wrong::<uapi::pinlease_acquire>("ACQUIRE on a lease", &lease)?;
    wrong::<uapi::pinlease_pin>("PIN on the file", &mapped)?;
    for fd in [device.as_fd(), lease.as_fd()] {
        for number in [0, 5, 0xff] {
            let number = (uapi::PINLEASE_IOC_TYPE << 8) | number;
            errno("unknown command", issue_unmapped(fd, number), Errno::ENOTTY)?;
        }
    }
    Ok(())
}

fn wrong<T: Argument + Default>(what: &str, fd: impl AsFd) -> TestResult {
    errno(what, issue(fd.as_fd(), &mut T::default()), Errno::ENOTTY)
}
