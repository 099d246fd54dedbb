// SPDX-License-Identifier: GPL-2.0
//! `/dev/pinlease`.

use std::{
    fs::{File, OpenOptions},
    os::fd::{AsFd, BorrowedFd},
};

use nix::errno::Errno;

use crate::{
    quiescence, LeaseBuilder, LeaseInfo, Leases, ListError, OpenError, QuiesceError, Quiescence,
    Watch, WatchError,
};

/// Where the device node is.
pub const DEVICE_PATH: &str = "/dev/pinlease";

/// The open device: gives leases.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens `/dev/pinlease`.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: the module is not loaded, or access is denied.
    pub fn open() -> Result<Self, OpenError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(DEVICE_PATH)
            .map(Self)
            .map_err(|error| {
                error
                    .raw_os_error()
                    .map_or(Errno::EIO, Errno::from_raw)
                    .into()
            })
    }

    /// Begins to describe a lease on `file`, by default all of it.
    pub fn lease<'a>(&'a self, file: &'a impl AsFd) -> LeaseBuilder<'a> {
        LeaseBuilder::new(self.as_fd(), file.as_fd())
    }

    /// All leases of the system, by rising id.
    ///
    /// A lease that comes or goes meanwhile may or may not be among them.
    pub fn leases(&self) -> Leases<'_> {
        Leases::new(self.as_fd())
    }

    /// The lease of number `id`; `None`: it ended.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_NEXT`.
    pub fn lease_info(&self, id: u64) -> Result<Option<LeaseInfo>, ListError> {
        self.leases().find(id)
    }

    /// Lets no new leases in, until [`end_quiescence`](Self::end_quiescence), whatever becomes of
    /// the caller. Those that are there stay; with the last one the hooks go.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_QUIESCE`.
    pub fn quiesce(&self) -> Result<Quiescence, QuiesceError> {
        quiescence::quiesce(self.as_fd(), pinlease_uapi::PINLEASE_QUIESCE_BEGIN)
    }

    /// Allows leases again.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_QUIESCE`.
    pub fn end_quiescence(&self) -> Result<Quiescence, QuiesceError> {
        quiescence::quiesce(self.as_fd(), pinlease_uapi::PINLEASE_QUIESCE_END)
    }

    /// Tells whether leases are kept out, and hooks gone.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_QUIESCE`.
    pub fn quiescence(&self) -> Result<Quiescence, QuiesceError> {
        quiescence::quiesce(self.as_fd(), 0)
    }

    /// Watches the leases whose holder is the caller's user, or all leases
    /// with `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_WATCH`.
    pub fn watch(&self) -> Result<Watch, WatchError> {
        Watch::new(self.as_fd())
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
