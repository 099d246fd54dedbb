// SPDX-License-Identifier: GPL-2.0
//! A device that writes into a mapped file, on either side.

use std::path::Path;

use anyhow::{Context, Result};
use pinlease::{Device, Lease, PinOptions, Policy};

use super::{page_size, Census, DirectReader, Engine, Fill, Mapped, Requirement, Window};
use crate::harness::Side;

/// How to build a [`Rig`].
#[derive(Clone, Copy, Debug)]
pub struct RigOptions {
    /// Pages of the file.
    pub pages: u64,
    /// Where its folios come from.
    pub fill: Fill,
    /// With a lease or without.
    pub side: Side,
    /// First pinned page.
    pub first: u64,
    /// Pinned pages; the lease covers just these.
    pub pinned: u64,
    /// Whether the holder marks what was written.
    pub marked: bool,
}

impl RigOptions {
    /// All of a file.
    pub fn new(side: Side, pages: u64, fill: Fill) -> Self {
        Self {
            pages,
            fill,
            side,
            first: 0,
            pinned: pages,
            marked: false,
        }
    }

    /// Pins only `pinned` pages from page `first` on.
    pub fn pin(mut self, first: u64, pinned: u64) -> Self {
        self.first = first;
        self.pinned = pinned;
        self
    }

    /// The holder marks what was written.
    pub fn marked(mut self) -> Self {
        self.marked = true;
        self
    }

    /// Makes the file at `path`, pins it, and gives it to a device.
    ///
    /// # Errors
    ///
    /// Some step fails.
    pub fn build(self, path: &Path) -> Result<Rig> {
        self.build_on(Mapped::create(path, self.pages, self.fill)?)
    }

    /// Pins a file that is there, and gives it to a device.
    ///
    /// # Errors
    ///
    /// Some step fails.
    pub fn build_on(self, mapped: Mapped) -> Result<Rig> {
        let engine = Engine::open()?;
        let address = mapped.address(self.first);
        let length = self.pinned as usize * page_size();
        let mut window = None;
        let hold = match self.side {
            Side::Stock => {
                engine
                    .pin_raw(address, length, false)
                    .context("raw pin, without a lease")?;
                None
            }
            Side::Grant => {
                let offset = self.first * page_size() as u64;
                let lease = Device::open()?
                    .lease(&mapped)
                    .range(offset, length as u64)
                    .policy(Policy::Refuse)
                    .grant(true)
                    .acquire()?;
                // All of the mapping must be leased.
                let window = window.insert(Window::new(mapped.file(), offset, length)?);
                engine
                    .pin_raw(window.address(), length, true)
                    .context("raw pin, under a grant")?;
                Some(Hold { lease, pin: None })
            }
            Side::Pinlease => {
                let lease = Device::open()?
                    .lease(&mapped)
                    .range(self.first * page_size() as u64, length as u64)
                    .policy(Policy::Refuse)
                    .acquire()?;
                let options = PinOptions {
                    marked: self.marked,
                };
                let pin = lease.pin(address, length, options)?.into_id();
                engine.attach(&lease, pin).context("attaching the device")?;
                Some(Hold {
                    lease,
                    pin: Some(pin),
                })
            }
        };
        Ok(Rig {
            engine,
            hold,
            window,
            mapped,
        })
    }
}

/// A lease with its pin.
#[derive(Debug)]
pub struct Hold {
    /// The lease.
    pub lease: Lease,
    /// Its pin; `None`: the driver made one.
    pub pin: Option<u64>,
}

/// A device that writes into a mapped file.
#[derive(Debug)]
pub struct Rig {
    // Dropped in this order: the device lets go before the lease ends, and the
    // mapping goes last.
    /// The device.
    pub engine: Engine,
    /// The lease, on the side of pinlease.
    pub hold: Option<Hold>,
    /// The mapping that the driver pinned by itself, on the side of grants.
    pub window: Option<Window>,
    /// The file.
    pub mapped: Mapped,
}

impl Rig {
    /// fsync(2) of the file.
    ///
    /// # Errors
    ///
    /// What it says.
    pub fn fsync(&self) -> Result<()> {
        self.mapped.file().sync_all().context("fsync")
    }

    /// The lease.
    ///
    /// # Errors
    ///
    /// There is none on the stock side.
    pub fn lease(&self) -> Result<&Lease> {
        let hold = self.hold.as_ref();
        Ok(&hold.context("the stock side has no lease")?.lease)
    }

    /// Reads the whole file from the disk and counts its pages by their fate.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn census(&self, requirement: Requirement) -> Result<Census> {
        DirectReader::open(self.mapped.path())?.census(self.mapped.pages(), requirement)
    }

    /// The device lets go, then the pin ends, then the lease; the file stays.
    ///
    /// # Errors
    ///
    /// The pin's last pages could not be made dirty.
    pub fn release(self) -> Result<Mapped> {
        let Self {
            engine,
            hold,
            mapped,
            ..
        } = self;
        drop(engine);
        if let Some(Hold {
            lease,
            pin: Some(pin),
        }) = hold
        {
            lease.unpin(pin)?;
        }
        Ok(mapped)
    }
}
