// SPDX-License-Identifier: GPL-2.0

//! The device's registers.

use kernel::{
    device::Bound,
    dma::DmaAddress,
    io::{poll::read_poll_timeout, Io},
    page::PAGE_SIZE,
    pci,
    prelude::*,
    time::Delta,
};

const INTERRUPT_STATUS: usize = 0x24;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;
const DMA_SOURCE: usize = 0x80;
const DMA_TARGET: usize = 0x88;
const DMA_COUNT: usize = 0x90;
const DMA_COMMAND: usize = 0x98;
/// Bytes that have registers.
const SIZE: usize = 0xa0;

/// DMA_COMMAND: start; reads as one until the transfer is done.
const RUN: u64 = 1 << 0;
/// DMA_COMMAND: from the device's buffer to memory, instead of the other way.
const TO_MEMORY: u64 = 1 << 1;
/// DMA_COMMAND: raise an interrupt when done.
const INTERRUPT: u64 = 1 << 2;

/// Where the device sees its own buffer of a page.
const BUFFER: u64 = 0x40000;

/// How long a transfer may take that QEMU does in 100 ms. It cannot be aborted.
const PATIENCE: Delta = Delta::from_secs(5);

/// BAR 0, for as long as the driver is bound.
pub(crate) struct Registers(pci::DevresBar<SIZE>);

impl Registers {
    /// Errors: `EBUSY`, `ENOMEM`, `EINVAL` when the BAR is too small.
    pub(crate) fn map(device: &pci::Device<Bound>) -> Result<Self> {
        let bar = device.iomap_region_sized::<SIZE>(0, c"edu")?;
        bar.into_devres().map(Self)
    }

    /// Runs `access`, which may not sleep. Errors: its own, `ENODEV` after the unbind.
    fn with<R>(&self, access: impl FnOnce(&pci::Bar<'_, SIZE>) -> Result<R>) -> Result<R> {
        let bar = self.0.try_access().ok_or(ENODEV)?;
        access(&bar)
    }

    /// Begins to fill the buffer. The device is idle. Errors: `ENODEV`.
    pub(crate) fn load(&self, source: DmaAddress) -> Result {
        self.transfer(source, BUFFER, 0)
    }

    /// Begins to write the buffer to memory. The device is idle. Errors: `ENODEV`.
    pub(crate) fn store(&self, target: DmaAddress) -> Result {
        self.transfer(BUFFER, target, TO_MEMORY)
    }

    fn transfer(&self, source: u64, target: u64, direction: u64) -> Result {
        self.with(|bar| {
            // Fallible only because a BAR is not known to be aligned to eight bytes.
            bar.try_write64(source, DMA_SOURCE)?;
            bar.try_write64(target, DMA_TARGET)?;
            bar.try_write64(PAGE_SIZE as u64, DMA_COUNT)?;
            bar.try_write64(direction | INTERRUPT | RUN, DMA_COMMAND)
        })
    }

    /// Whether a transfer is under way. Errors: `ENODEV`, also when the device was pulled out.
    pub(crate) fn is_running(&self) -> Result<bool> {
        match self.with(|bar| bar.try_read64(DMA_COMMAND))? {
            u64::MAX => Err(ENODEV),
            command => Ok(command & RUN != 0),
        }
    }

    /// Sleeps until no transfer is under way. Errors: `ENODEV`, `ETIMEDOUT`.
    pub(crate) fn wait_until_idle(&self) -> Result {
        let every = Delta::from_millis(2);
        read_poll_timeout(|| self.is_running(), |running| !running, every, PATIENCE).map(drop)
    }

    /// Acknowledges the device's interrupt; says whether there was one. For interrupt context.
    pub(crate) fn take_interrupt(&self) -> bool {
        let taken = self.with(|bar| match bar.read32(INTERRUPT_STATUS) {
            0 | u32::MAX => Ok(false),
            causes => {
                bar.write32(causes, INTERRUPT_ACKNOWLEDGE);
                Ok(true)
            }
        });
        taken.unwrap_or(false)
    }
}
