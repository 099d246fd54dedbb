// SPDX-License-Identifier: GPL-2.0
//! What an operation finds, and what must hold after it, whatever failed.

use std::{path::Path, time::Duration};

use anyhow::{bail, ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, Lease, PinOptions, Policy, Watch};

use crate::support::{
    page_size, proc::wait_for, residue::all_leases, DirectReader, Engine, Fill, Mapped, Requirement,
};

/// Pages of the file.
pub const PAGES: u64 = 8;

/// A lease of another file, so that hooks stay installed.
#[derive(Debug)]
pub struct Keeper {
    _lease: Lease,
    _file: Mapped,
}

impl Keeper {
    /// One lease.
    ///
    /// # Errors
    ///
    /// It is not to be had.
    pub fn new(path: &Path) -> Result<Self> {
        let file = Mapped::create(path, 1, Fill::Faulted)?;
        let lease = Device::open()?
            .lease(&file)
            .policy(Policy::Refuse)
            .acquire()?;
        Ok(Self {
            _lease: lease,
            _file: file,
        })
    }
}

/// A file, and what there is of leases, pins and devices on it.
#[derive(Debug)]
pub struct Scene {
    // Dropped in this order.
    /// Writes into the pin.
    pub engine: Option<Engine>,
    /// Its number.
    pub pin: Option<u64>,
    /// Of all of the file.
    pub lease: Option<Lease>,
    /// Sees the lease.
    pub watch: Option<Watch>,
    /// The file.
    pub mapped: Mapped,
    /// The device.
    pub device: Device,
    /// What the device wrote last.
    pub generation: u64,
    /// Whether somebody else wrote over the first page then.
    pub overwritten: bool,
    /// Whether the holder says what the device wrote.
    marks: bool,
    /// Whether somebody was told that it could not be saved.
    pub told: bool,
}

impl Scene {
    /// With a new file; nothing of it is leased.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub fn new(path: &Path) -> Result<Self> {
        let device = Device::open()?;
        Ok(Self {
            engine: None,
            pin: None,
            lease: None,
            watch: None,
            mapped: Mapped::create(path, PAGES, Fill::Faulted)?,
            device,
            generation: 0,
            overwritten: false,
            marks: false,
            told: false,
        })
    }

    /// Leases the file.
    ///
    /// # Errors
    ///
    /// Those of ACQUIRE.
    pub fn acquire(&mut self, policy: Policy) -> nix::Result<()> {
        let lease = self.device.lease(&self.mapped).policy(policy).acquire();
        self.lease = Some(lease.map_err(pinlease::AcquireError::errno)?);
        Ok(())
    }

    /// Pins all of it.
    ///
    /// # Errors
    ///
    /// Those of PIN.
    pub fn pin(&mut self, marked: bool) -> nix::Result<()> {
        let length = self.mapped.length();
        let lease = self.lease.as_ref().ok_or(Errno::EBADF)?;
        let pin = lease.pin(self.mapped.address(0), length, PinOptions { marked });
        self.pin = Some(pin.map_err(pinlease::PinError::errno)?.into_id());
        self.marks = marked;
        Ok(())
    }

    /// Unpins it.
    ///
    /// # Errors
    ///
    /// Those of UNPIN.
    pub fn unpin(&mut self) -> nix::Result<()> {
        let lease = self.lease.as_ref().ok_or(Errno::EBADF)?;
        let pin = self.pin.ok_or(Errno::EBADF)?;
        let result = lease.unpin(pin).map_err(pinlease::UnpinError::errno);
        // Without memory it stays; where the filesystem refuses it goes all the same.
        if !matches!(result, Err(Errno::ENOMEM | Errno::EFAULT)) {
            self.pin = None;
        }
        result
    }

    /// Gives the pin to a device.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn attach(&mut self) -> nix::Result<()> {
        let lease = self.lease.as_ref().ok_or(Errno::EBADF)?;
        let engine = Engine::open().map_err(|_| Errno::ENOMEM)?;
        engine.attach(lease, self.pin.ok_or(Errno::EBADF)?)?;
        self.engine = Some(engine);
        Ok(())
    }

    /// All of it, as far as it is not there.
    ///
    /// # Errors
    ///
    /// It is not to be had.
    pub fn complete(&mut self) -> Result<()> {
        if self.lease.is_none() {
            self.acquire(Policy::Refuse).context("acquire")?;
        }
        if self.pin.is_none() {
            self.pin(false).context("pin")?;
        }
        if self.engine.is_none() {
            self.attach().context("attach")?;
        }
        Ok(())
    }

    /// The device writes something new.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn write(&mut self) -> Result<()> {
        self.generation += 1;
        let engine = self.engine.as_ref().context("no device")?;
        engine.write_all(self.generation)?;
        if self.marks {
            let lease = self.lease.as_ref().context("no lease")?;
            lease.mark(0, self.mapped.length() as u64)?;
        }
        Ok(())
    }

    /// The device lets go of the pin.
    pub fn detach(&mut self) {
        self.engine = None;
    }

    /// What the device wrote is on the disk after an fsync that says so. As long as it is pinned an
    /// error is a delay; after that somebody must have been told of what is lost.
    ///
    /// # Errors
    ///
    /// It is not, and nobody was told.
    pub fn saved(&mut self) -> Result<()> {
        let mut told = std::mem::take(&mut self.told);
        if std::mem::take(&mut self.overwritten) {
            let engine = self.engine.as_ref().context("no device")?;
            engine.write(0, 1, self.generation)?;
        }
        if let Err(error) = self.mapped.file().sync_all() {
            println!("  told by fsync: {error}");
            told = true;
            let again = self.mapped.file().sync_all();
            again.context("the second fsync after the fault")?;
        }
        if self.generation == 0 {
            return Ok(());
        }
        let wanted = Requirement::Exactly(self.generation);
        let found = DirectReader::open(self.mapped.path())?.census(PAGES, wanted)?;
        match found.all_kept() {
            Err(_) if told && self.pin.is_none() => Ok(()),
            kept => kept.with_context(|| format!("after an fsync without error: {found}")),
        }
    }

    /// Everything works, saves what it has to, and ends.
    ///
    /// # Errors
    ///
    /// Something does not.
    pub fn still_works(&mut self) -> Result<()> {
        self.saved()?;
        self.complete().context("afterwards")?;
        self.write()?;
        self.saved().context("afterwards")?;
        let lease = self.lease.as_ref().context("no lease")?;
        let query = lease.query()?;
        let pinned = PAGES * page_size() as u64;
        ensure!(
            (query.pins, query.pinned_bytes) == (1, pinned),
            "afterwards the lease has {} pins of {} bytes",
            query.pins,
            query.pinned_bytes
        );
        Ok(())
    }

    /// Nothing is left when all is closed, but the lease that keeps the hooks.
    ///
    /// # Errors
    ///
    /// Something is.
    pub fn end(self) -> Result<()> {
        drop(self);
        let mut left = Vec::new();
        let ended = || {
            left = all_leases()?;
            Ok(left.len() == 1)
        };
        let ended = wait_for("leases end", Duration::from_secs(20), ended);
        ended.with_context(|| format!("left: {left:?}")).map(drop)
    }

    /// An error that says that something is lost.
    pub fn was_told(&mut self, errno: Errno) {
        self.told |= matches!(errno, Errno::ENOSPC | Errno::EDQUOT | Errno::EIO);
    }

    /// Its own policy breaks it, or nobody: the next one is another.
    ///
    /// # Errors
    ///
    /// It stays.
    pub fn release(&mut self) -> Result<()> {
        self.detach();
        self.pin = None;
        match self.lease.take() {
            Some(lease) => drop(lease),
            None => bail!("no lease"),
        }
        Ok(())
    }
}
