// SPDX-License-Identifier: GPL-2.0

//! A device that the driver has: what it was told last, and what it has in its buffer.

use crate::{
    job::Stamp,
    mapping::{BoundDevice, Mapping},
    registers::Registers,
};
use kernel::{
    device::{Bound, Device},
    dma::{Coherent, DmaAddress},
    page::PAGE_SIZE,
    prelude::*,
};

type Page = [u64; PAGE_SIZE / size_of::<u64>()];

/// To be dropped before the driver is unbound.
pub(crate) struct Hardware {
    pub(crate) device: BoundDevice,
    /// Where its buffer is filled from.
    source: Coherent<Page>,
    /// What is in the buffer.
    loaded: Option<Stamp>,
    /// It did not do what it was told, and was cut off.
    broken: bool,
}

/// What the device is doing.
pub(crate) enum Transfer {
    /// It fills its buffer.
    Load(Stamp),
    /// It writes it to memory.
    Store(Stamp),
}

impl Hardware {
    /// Errors: `ENOMEM`.
    pub(crate) fn new(bound: &Device<Bound>, device: BoundDevice) -> Result<Self> {
        Ok(Self {
            device,
            source: Coherent::zeroed(bound, GFP_KERNEL)?,
            loaded: None,
            broken: false,
        })
    }

    /// Begins to write `stamp` to `target`, or to load it first. The device is idle. Errors:
    /// `ENODEV`, `EIO`.
    pub(crate) fn begin(
        &mut self,
        registers: &Registers,
        stamp: Stamp,
        target: DmaAddress,
    ) -> Result<Transfer> {
        self.is_usable()?;
        if self.loaded == Some(stamp) {
            registers.store(target)?;
            return Ok(Transfer::Store(stamp));
        }
        // SAFETY: The device is idle, and nobody else has the source.
        unsafe { self.source.as_mut() }.fill(stamp.word());
        self.loaded = None;
        registers.load(self.source.dma_address())?;
        Ok(Transfer::Load(stamp))
    }

    /// A transfer is done. Returns the page that is written with it.
    pub(crate) fn end(&mut self, transfer: Transfer, mapping: &Mapping) -> Option<u64> {
        match transfer {
            Transfer::Load(stamp) => {
                self.loaded = Some(stamp);
                None
            }
            Transfer::Store(Stamp { page, .. }) => {
                mapping.sync_for_cpu(page);
                Some(page)
            }
        }
    }

    /// Errors: `EIO`.
    pub(crate) fn is_usable(&self) -> Result {
        match self.broken {
            true => Err(EIO),
            false => Ok(()),
        }
    }

    /// Waits until the device accesses no memory. Returns whether it came to the end of its
    /// transfer: otherwise it is cut off. May sleep.
    pub(crate) fn stop(&mut self, registers: &Registers) -> bool {
        let stopped = registers.wait_until_idle();
        if let Err(error) = stopped {
            self.cut_off(error);
        }
        stopped.is_ok()
    }

    /// The device does not answer, or does not stop.
    pub(crate) fn cut_off(&mut self, error: Error) {
        pr_err!("a device is cut off: {:?}\n", error);
        self.device.silence();
        self.broken = true;
    }
}
