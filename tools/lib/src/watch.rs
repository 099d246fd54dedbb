// SPDX-License-Identifier: GPL-2.0
//! Events of many leases.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
};

use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    event::{read_event, read_events},
    notify, Event, ReadError, WatchError,
};

/// Events of all leases that the caller may see, from
/// [`Device::watch`](crate::Device::watch) on.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    pub(crate) fn new(device: BorrowedFd<'_>) -> Result<Self, WatchError> {
        let mut request = uapi::pinlease_watch {
            size: size::<uapi::pinlease_watch>(),
            flags: uapi::PINLEASE_WATCH_CLOEXEC,
        };
        let fd = issue(device, &mut request)?;
        // SAFETY: the command returned a descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// As [`Lease::read_event`](crate::Lease::read_event).
    ///
    /// # Errors
    ///
    /// The same.
    pub fn read_event(&self) -> Result<Event, ReadError> {
        read_event(self.as_fd())
    }

    /// As [`Lease::read_events`](crate::Lease::read_events).
    ///
    /// # Errors
    ///
    /// The same.
    pub fn read_events(&self) -> Result<Vec<Event>, ReadError> {
        read_events(self.as_fd())
    }

    /// Whether reading events fails instead of waiting.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        notify::set_nonblocking(self.as_fd(), nonblocking)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
