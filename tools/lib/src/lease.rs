// SPDX-License-Identifier: GPL-2.0
//! Leases: the right to have a byte range of a file pinned for writing.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    time::Duration,
};

use nix::sys::signal::Signal;
use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    event::{read_event, read_events},
    notify, AcquireError, DmaBuf, Event, ExportError, ExportOptions, MarkError, Pin, PinError,
    PinOptions, Policy, Query, QueryError, ReadError, ShrinkError, UnpinError,
};

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
    /// the sysctl `fs.lease-break-time`, or the administrator's maximum if that
    /// is less.
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

    /// Whether other parts of the kernel may pin the range for a long time:
    /// io_uring's registered buffers, RDMA memory regions, VFIO, AF_XDP; by
    /// default they may not.
    ///
    /// They may through any shared mapping of this process that lies as a whole
    /// in ranges that it has leased so.  That survives execve(2), but not
    /// fork(2): see [`cloexec`](Self::cloexec).  Such a lease answers a break
    /// when it is closed or shrunk, not by an unpin, and breakers wait until the
    /// others have unpinned.  It cannot be had with [`Policy::Revoke`].
    pub fn grant(mut self, grant: bool) -> Self {
        self.request.flags &= !uapi::PINLEASE_ACQUIRE_GRANT;
        if grant {
            self.request.flags |= uapi::PINLEASE_ACQUIRE_GRANT;
        }
        self
    }

    /// Acquires the lease.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_ACQUIRE`; [`AcquireError::BadRange`] may also mean that
    /// the module is older than grants.
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

    /// Makes a dma-buf of the pin `id`; for a [`Pin`] use [`Pin::export`].
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_EXPORT`.
    pub fn export(&self, id: u64, options: ExportOptions) -> Result<DmaBuf, ExportError> {
        DmaBuf::new(self, id, options)
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

    /// Gives back what is outside of `[offset, offset + length)`, which lies
    /// inside of the present range: one way to answer a break.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_SHRINK`.
    pub fn shrink(&self, offset: u64, length: u64) -> Result<(), ShrinkError> {
        let mut shrink = uapi::pinlease_shrink {
            size: size::<uapi::pinlease_shrink>(),
            offset,
            length,
            ..Default::default()
        };
        issue(self.as_fd(), &mut shrink)?;
        Ok(())
    }

    /// Reads the oldest event that was not read yet; waits for one, unless
    /// [`set_nonblocking`](Self::set_nonblocking) said otherwise.
    ///
    /// # Errors
    ///
    /// [`ReadError::WouldBlock`]: there is none.  [`ReadError::Interrupted`].
    pub fn read_event(&self) -> Result<Event, ReadError> {
        read_event(self.as_fd())
    }

    /// Reads all events that are there, at least one; waits for it like
    /// [`read_event`](Self::read_event).
    ///
    /// # Errors
    ///
    /// As [`read_event`](Self::read_event).
    pub fn read_events(&self) -> Result<Vec<Event>, ReadError> {
        read_events(self.as_fd())
    }

    /// Whether reading events fails instead of waiting.  It holds for all
    /// copies of the file descriptor.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        notify::set_nonblocking(self.as_fd(), nonblocking)
    }

    /// Has `signal` sent to this process whenever there is a new event, with
    /// the lease as its `si_fd`; `None`: no more signals.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn notify_by_signal(&self, signal: Option<Signal>) -> io::Result<()> {
        notify::by_signal(self.as_fd(), signal)
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
    fn flags_are_set_and_cleared() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let new = || LeaseBuilder::new(file.as_fd(), file.as_fd());
        let (cloexec, grant) = (uapi::PINLEASE_ACQUIRE_CLOEXEC, uapi::PINLEASE_ACQUIRE_GRANT);
        assert_eq!(new().request.flags, cloexec);
        assert_eq!(new().grant(true).request.flags, cloexec | grant);
        assert_eq!(new().grant(true).cloexec(false).request.flags, grant);
        assert_eq!(new().grant(true).grant(false).request.flags, cloexec);
    }

    #[test]
    fn not_a_lease_is_enotty() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let lease = Lease::from(OwnedFd::from(file));
        assert_eq!(lease.query(), Err(QueryError::NotLease));
        assert_eq!(lease.mark(0, 1), Err(MarkError::NotLease));
        assert_eq!(lease.shrink(0, 1), Err(ShrinkError::NotLease));
        assert_eq!(lease.read_event(), Err(ReadError::NotEvents));
    }
}
