// SPDX-License-Identifier: GPL-2.0
//! dma-bufs: pinned memory for devices whose drivers know nothing of leases.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    ExportError, Lease,
};

/// What of a pin to export, and how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExportOptions {
    /// First byte in the pin, a multiple of the page size.
    pub offset: u64,
    /// Bytes, a multiple of the page size; 0: to the end of the pin.
    pub length: u64,
    /// Whether processes may map it for reading only; devices may write either
    /// way.
    pub read_only: bool,
    /// Whether execve(2) leaves it open.
    pub inheritable: bool,
}

/// A dma-buf, a file descriptor for importers.
///
/// It does not keep the lease: when that ends, the dma-buf is revoked.
#[derive(Debug)]
pub struct DmaBuf(OwnedFd);

impl DmaBuf {
    pub(crate) fn new(
        lease: &Lease,
        pin: u64,
        options: ExportOptions,
    ) -> Result<Self, ExportError> {
        let access = match options.read_only {
            true => libc::O_RDONLY,
            false => libc::O_RDWR,
        };
        let inherit = match options.inheritable {
            true => 0,
            false => libc::O_CLOEXEC,
        };
        let mut request = uapi::pinlease_export {
            size: size::<uapi::pinlease_export>(),
            open_flags: (access | inherit) as u32,
            id: pin,
            offset: options.offset,
            length: options.length,
        };
        let fd = issue(lease.as_fd(), &mut request)?;
        // SAFETY: the command returned a descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl AsFd for DmaBuf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for DmaBuf {
    /// Takes a dma-buf that was received or inherited.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<DmaBuf> for OwnedFd {
    fn from(buffer: DmaBuf) -> Self {
        buffer.0
    }
}
