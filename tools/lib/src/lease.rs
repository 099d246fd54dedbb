// SPDX-License-Identifier: GPL-2.0
//! Leases: the right to have a byte range of a file pinned for writing.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    str::FromStr,
    time::Duration,
};

use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    AcquireError, MarkError, Pin, PinError, PinOptions, Query, QueryError, UnpinError,
};

/// What happens when a conflicting operation meets the lease.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Policy {
    /// The holder is killed.
    #[default]
    Kill,
    /// The holder's pins are taken away.
    Revoke,
    /// The breaker waits.
    Block,
    /// The breaker gets `ETXTBSY` at once.
    Refuse,
}

impl Policy {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Revoke, Self::Block, Self::Refuse];

    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Revoke => "revoke",
            Self::Block => "block",
            Self::Refuse => "refuse",
        }
    }

    const fn to_raw(self) -> u32 {
        match self {
            Self::Kill => uapi::PINLEASE_POLICY_KILL,
            Self::Revoke => uapi::PINLEASE_POLICY_REVOKE,
            Self::Block => uapi::PINLEASE_POLICY_BLOCK,
            Self::Refuse => uapi::PINLEASE_POLICY_REFUSE,
        }
    }

    /// The policy of number `raw`; a newer module may have more of them.
    pub fn from_raw(raw: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.to_raw() == raw)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or("a policy is one of: kill, revoke, block, refuse")
    }
}

/// A lease to be acquired; made by [`Device::lease`](crate::Device::lease).
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is leased before acquire()"]
pub struct LeaseBuilder<'a> {
    device: BorrowedFd<'a>,
    request: uapi::pinlease_acquire,
}

impl<'a> LeaseBuilder<'a> {
    pub(crate) fn new(device: BorrowedFd<'a>, file: BorrowedFd<'a>) -> Self {
        Self {
            device,
            request: uapi::pinlease_acquire {
                size: size::<uapi::pinlease_acquire>(),
                flags: uapi::PINLEASE_ACQUIRE_CLOEXEC,
                fd: file.as_raw_fd(),
                ..Default::default()
            },
        }
    }

    /// The bytes to lease: from `offset`, a multiple of the page size; a
    /// `length` of 0 reaches to the present end of the file.
    pub fn range(mut self, offset: u64, length: u64) -> Self {
        self.request.offset = offset;
        self.request.length = length;
        self
    }

    /// What happens when a conflicting operation meets the lease.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.request.policy = policy.to_raw();
        self
    }

    /// How long a breaker waits before the policy acts; saturates.  Zero means
    /// the sysctl `fs.lease-break-time`.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.request.grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// Whether execve(2) closes the lease; by default it does.
    pub fn cloexec(mut self, cloexec: bool) -> Self {
        self.request.flags &= !uapi::PINLEASE_ACQUIRE_CLOEXEC;
        if cloexec {
            self.request.flags |= uapi::PINLEASE_ACQUIRE_CLOEXEC;
        }
        self
    }

    /// Acquires the lease.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_ACQUIRE`.
    pub fn acquire(mut self) -> Result<Lease, AcquireError> {
        let fd = issue(self.device, &mut self.request)?;
        // SAFETY: the command returned a descriptor that nobody else owns.
        Ok(Lease(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

/// A held lease; dropping it unpins everything and ends it, unless another
/// process has a copy of the file descriptor.
#[derive(Debug)]
pub struct Lease(OwnedFd);

impl Lease {
    /// Pins `[address, address + length)`, memory of a shared writable mapping
    /// of the leased range.
    ///
    /// Takes an address instead of a slice: a device may write the memory at
    /// any moment, so that no reference to it can be sound.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_PIN`.
    pub fn pin(
        &self,
        address: *const u8,
        length: usize,
        options: PinOptions,
    ) -> Result<Pin<'_>, PinError> {
        Pin::new(self, address, length, options)
    }

    /// Unpins the pin `id`; for a [`Pin`] use [`Pin::release`].
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_UNPIN`.
    pub fn unpin(&self, id: u64) -> Result<(), UnpinError> {
        let mut request = uapi::pinlease_unpin {
            size: size::<uapi::pinlease_unpin>(),
            id,
            ..Default::default()
        };
        issue(self.as_fd(), &mut request)?;
        Ok(())
    }

    /// Says that the device wrote these bytes of the file since the last mark.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_MARK`.
    pub fn mark(&self, offset: u64, length: u64) -> Result<(), MarkError> {
        let mut mark = uapi::pinlease_mark {
            size: size::<uapi::pinlease_mark>(),
            offset,
            length,
            ..Default::default()
        };
        issue(self.as_fd(), &mut mark)?;
        Ok(())
    }

    /// Asks for the lease's present state.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_QUERY`.
    pub fn query(&self) -> Result<Query, QueryError> {
        let mut query = uapi::pinlease_query {
            size: size::<uapi::pinlease_query>(),
            ..Default::default()
        };
        issue(self.as_fd(), &mut query)?;
        Ok(Query::from(query))
    }
}

impl AsFd for Lease {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Lease {
    /// Takes a lease that was received or inherited; if it is something else,
    /// every command on it answers `ENOTTY`.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Lease> for OwnedFd {
    fn from(lease: Lease) -> Self {
        lease.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_parse_as_they_print() {
        for policy in Policy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!(Policy::from_raw(policy.to_raw()), Some(policy));
        }
        assert!("murder".parse::<Policy>().is_err());
        assert_eq!(Policy::from_raw(99), None);
    }

    #[test]
    fn not_a_lease_is_enotty() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let lease = Lease::from(OwnedFd::from(file));
        assert_eq!(lease.query(), Err(QueryError::NotLease));
        assert_eq!(lease.mark(0, 1), Err(MarkError::NotLease));
    }
}
