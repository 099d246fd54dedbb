// SPDX-License-Identifier: GPL-2.0
//! Pins: memory that a device may write, for as long as the lease lives.

use std::{mem, os::fd::AsFd};

use pinlease_uapi as uapi;

use crate::{
    command::{issue, size},
    DmaBuf, ExportError, ExportOptions, Lease, PinError, UnpinError,
};

/// How to pin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PinOptions {
    /// The holder says by [`Lease::mark`] what the device wrote; nothing else
    /// is written back.
    pub marked: bool,
}

/// Pinned memory of a [`Lease`]; dropping it unpins.
#[derive(Debug)]
#[must_use = "dropping a pin unpins the memory"]
pub struct Pin<'lease> {
    lease: &'lease Lease,
    id: u64,
    offset: u64,
    length: u64,
}

impl<'lease> Pin<'lease> {
    pub(crate) fn new(
        lease: &'lease Lease,
        address: *const u8,
        length: usize,
        options: PinOptions,
    ) -> Result<Self, PinError> {
        let mut request = uapi::pinlease_pin {
            size: size::<uapi::pinlease_pin>(),
            flags: if options.marked {
                uapi::PINLEASE_PIN_MARKED
            } else {
                0
            },
            addr: address.addr() as u64,
            length: length as u64,
            ..Default::default()
        };
        issue(lease.as_fd(), &mut request)?;
        Ok(Self {
            lease,
            id: request.id,
            offset: request.offset,
            length: request.length,
        })
    }

    /// What drivers are given, together with the lease's file descriptor.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// File offset of the first pinned byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes pinned.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The lease that it was made on.
    pub fn lease(&self) -> &'lease Lease {
        self.lease
    }

    /// Makes a dma-buf of it.  The memory stays pinned as long as that exists:
    /// until then [`release`](Self::release) says [`UnpinError::InUse`].
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_EXPORT`.
    pub fn export(&self, options: ExportOptions) -> Result<DmaBuf, ExportError> {
        self.lease.export(self.id, options)
    }

    /// Unpins, and tells whether what the device wrote became dirty in the file.
    ///
    /// # Errors
    ///
    /// As `PINLEASE_IOC_UNPIN`.  After [`UnpinError::InUse`] the memory stays
    /// pinned until the lease ends.
    pub fn release(self) -> Result<(), UnpinError> {
        let lease = self.lease;
        lease.unpin(self.into_id())
    }

    /// Gives up the guard: the memory stays pinned until [`Lease::unpin`] or
    /// the end of the lease.  For owners that keep lease and pin together.
    pub fn into_id(self) -> u64 {
        let id = self.id;
        mem::forget(self);
        id
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        // A destructor has nobody to tell; release() does.  A pin that stays
        // because a driver uses it ends with the lease.
        let _ = self.lease.unpin(self.id);
    }
}
