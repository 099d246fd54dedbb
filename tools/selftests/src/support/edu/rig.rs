// SPDX-License-Identifier: GPL-2.0
//! A device that writes into a mapped file, by DMA.

use std::{fs::OpenOptions, ops::Range, path::Path, time::Duration};

use anyhow::{ensure, Context, Result};
use pinlease::{Device, Lease, PinOptions, Policy};

use super::{Edu, EduState, Fault};
use crate::support::{page_size, process::Tied, Fill, Mapped};

/// The policy acts at once.
const GRACE: Duration = Duration::from_millis(1);

/// A breaker does not wait for longer: for the grace, and a transfer.
const LIMIT: Duration = Duration::from_secs(20);

/// A device with the memory of a file, under a lease that can be revoked.
#[derive(Debug)]
pub struct EduRig {
    // Dropped in this order: the device lets go before the lease ends.
    /// The device.
    pub edu: Edu,
    lease: Option<Lease>,
    /// The file.
    pub mapped: Mapped,
}

/// How a lease was revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revoked {
    /// Its last descriptor was closed.
    Closed,
    /// Another process truncated the file, and its policy acted.
    Truncated,
}

impl EduRig {
    /// Makes a file of so many pages, and gives it to a device.
    ///
    /// # Errors
    ///
    /// Some step fails.
    pub fn new(path: &Path, pages: u64, fault: Fault) -> Result<Self> {
        Self::on(Mapped::create(path, pages, Fill::Faulted)?, fault)
    }

    /// Gives a file that is there to a device.
    ///
    /// # Errors
    ///
    /// Some step fails.
    pub fn on(mapped: Mapped, fault: Fault) -> Result<Self> {
        let edu = Edu::open().context("opening a device")?;
        let lease = lease(&mapped, &edu, 0..mapped.pages(), fault)?;
        Ok(Self {
            edu,
            lease: Some(lease),
            mapped,
        })
    }

    /// Takes the memory away from the device, which does not know of it.
    ///
    /// # Errors
    ///
    /// It is not revoked.
    pub fn revoke(&mut self, how: Revoked) -> Result<()> {
        match how {
            Revoked::Closed => drop(self.lease.take()),
            Revoked::Truncated => {
                let path = self.mapped.path();
                let mut breaker = Tied::spawn(|| truncate(path, 0))?;
                let status = breaker.wait(LIMIT)?;
                ensure!(
                    matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)),
                    "the breaker: {status:?}"
                );
            }
        }
        let state = self.edu.status()?.state;
        ensure!(state == EduState::Revoked, "the device is {state:?}");
        Ok(())
    }

    /// Makes a truncated file as long as it was.
    ///
    /// # Errors
    ///
    /// ftruncate(2)'s.
    pub fn extend(&self) -> Result<()> {
        let length = self.mapped.length() as u64;
        self.mapped.file().set_len(length).context("ftruncate")
    }

    /// The device, the lease and its pins end; the file stays.
    pub fn release(self) -> Mapped {
        self.mapped
    }
}

/// Leases pages of a file, and gives them to a device.
///
/// # Errors
///
/// Some step fails.
pub fn lease(mapped: &Mapped, edu: &Edu, pages: Range<u64>, fault: Fault) -> Result<Lease> {
    let length = (pages.end - pages.start) as usize * page_size();
    let lease = Device::open()?
        .lease(mapped)
        .range(pages.start * page_size() as u64, length as u64)
        .policy(Policy::Revoke)
        .grace(GRACE)
        .acquire()?;
    let pin = lease.pin(mapped.address(pages.start), length, PinOptions::default())?;
    edu.attach(&lease, pin.into_id(), fault)
        .context("attaching the device")?;
    Ok(lease)
}

/// Truncates a file to so many bytes; for a process other than the holder.
///
/// # Errors
///
/// ftruncate(2)'s.
pub fn truncate(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length).context("truncate")
}
