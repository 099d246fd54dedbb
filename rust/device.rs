// SPDX-License-Identifier: GPL-2.0

//! `/dev/pinlease`: where leases are acquired.

use crate::{
    bindings,
    lease::{Lease, Terms},
    lease_file, listing, parameters,
    policy::{
        grace,
        lease_state::Policy,
        range::{PageRange, RangeError},
    },
    quiescence,
    sys::{
        file::{self, FileExt},
        sysctl, task,
    },
    uapi, watch,
};
use kernel::{
    fs::File,
    ioctl::_IOC_NR,
    miscdevice::{MiscDevice, MiscDeviceRegistration},
    prelude::*,
};

/// One open of the device: nothing to remember.
pub(crate) struct Device;

#[vtable]
impl MiscDevice for Device {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Self, GFP_KERNEL)?)
    }

    fn ioctl(_device: &Self, _file: &File, command: u32, argument: usize) -> Result<isize> {
        match number(command)? {
            ACQUIRE => acquire(argument),
            NEXT => listing::next(argument),
            WATCH => open_watch(argument),
            QUIESCE => quiescence::quiesce(argument),
            _ => Err(ENOTTY),
        }
    }
}

/// Numbers of the commands. The size in a command grows with its structure, hence only type,
/// direction and number tell it.
pub(crate) const ACQUIRE: u32 = 0;
pub(crate) const PIN: u32 = 1;
pub(crate) const UNPIN: u32 = 2;
pub(crate) const MARK: u32 = 3;
pub(crate) const QUERY: u32 = 4;
pub(crate) const SHRINK: u32 = 5;
pub(crate) const NEXT: u32 = 6;
pub(crate) const WATCH: u32 = 7;
pub(crate) const EXPORT: u32 = 8;
pub(crate) const QUIESCE: u32 = 9;

/// Errors: `ENOTTY` when it is no command of ours.
pub(crate) fn number(command: u32) -> Result<u32> {
    let direction = match _IOC_NR(command) {
        PIN | QUERY | NEXT | QUIESCE => kernel::uapi::_IOC_READ | kernel::uapi::_IOC_WRITE,
        _ => kernel::uapi::_IOC_WRITE,
    };
    if kernel::ioctl::_IOC_TYPE(command) != bindings::PINLEASE_IOC_TYPE
        || kernel::ioctl::_IOC_DIR(command) != direction
    {
        return Err(ENOTTY);
    }
    Ok(_IOC_NR(command))
}

fn acquire(argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_acquire = uapi::read(argument)?;
    const FLAGS: u32 = bindings::PINLEASE_ACQUIRE_CLOEXEC | bindings::PINLEASE_ACQUIRE_GRANT;
    if wanted.flags & !FLAGS != 0 || wanted.reserved != 0 {
        return Err(EINVAL);
    }
    let policy = policy(wanted.policy)?;
    let file = file::of_descriptor(wanted.fd)?;
    if !file.inode().is_regular() {
        return Err(EINVAL);
    }
    if !file.is_read_write() {
        return Err(EBADF);
    }
    let range = range(&file, wanted.offset, wanted.length)?;
    let grace_ms = grace::grace(
        wanted.grace_ms,
        sysctl::lease_break_seconds(),
        parameters::grace_max_ms(),
        task::has_cap_sys_resource(),
    )
    .map_err(|_| EPERM)?;
    let terms = Terms {
        range,
        policy,
        grace_ms,
        grant: wanted.flags & bindings::PINLEASE_ACQUIRE_GRANT != 0,
    };
    let lease = Lease::acquire(file, terms)?;
    let close_on_exec = wanted.flags & bindings::PINLEASE_ACQUIRE_CLOEXEC != 0;
    lease_file::install(lease, close_on_exec).map(|descriptor| descriptor as isize)
}

fn open_watch(argument: usize) -> Result<isize> {
    let wanted: bindings::pinlease_watch = uapi::read(argument)?;
    if wanted.flags & !bindings::PINLEASE_WATCH_CLOEXEC != 0 {
        return Err(EINVAL);
    }
    let close_on_exec = wanted.flags & bindings::PINLEASE_WATCH_CLOEXEC != 0;
    watch::open(close_on_exec).map(|descriptor| descriptor as isize)
}

/// Errors: `EINVAL` no policy.
fn policy(policy: u32) -> Result<Policy> {
    match policy {
        bindings::PINLEASE_POLICY_KILL => Ok(Policy::Kill),
        bindings::PINLEASE_POLICY_REVOKE => Ok(Policy::Revoke),
        bindings::PINLEASE_POLICY_BLOCK => Ok(Policy::Block),
        bindings::PINLEASE_POLICY_REFUSE => Ok(Policy::Refuse),
        _ => Err(EINVAL),
    }
}

/// Errors: `EINVAL`, `ENXIO` beyond the end of the file.
fn range(file: &File, offset: u64, length: u64) -> Result<PageRange> {
    let size = file.inode().size();
    let length = match length {
        0 => size.saturating_sub(offset),
        length => length,
    };
    let range = PageRange::aligned(offset, length)?;
    if !file.inode().has_pages(&range) {
        return Err(ENXIO);
    }
    Ok(range)
}

impl From<RangeError> for Error {
    fn from(_: RangeError) -> Self {
        EINVAL
    }
}
