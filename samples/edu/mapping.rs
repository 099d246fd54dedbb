// SPDX-License-Identifier: GPL-2.0

//! Pages as the device sees them.

use crate::{bindings, common::Pages};
use kernel::{dma::DmaAddress, pci, prelude::*, sync::aref::ARef};

/// A device that is bound to this driver.
pub(crate) struct BoundDevice(ARef<pci::Device>);

impl BoundDevice {
    /// # Safety
    ///
    /// The device stays bound until this, and each mapping of it, is dropped or unmapped.
    pub(crate) unsafe fn new(device: ARef<pci::Device>) -> Self {
        Self(device)
    }

    fn as_raw(&self) -> *mut bindings::device {
        let device: &kernel::device::Device = self.0.as_ref();
        // `Device` is transparent.
        core::ptr::from_ref(device).cast_mut().cast()
    }

    /// Whether all of memory can be mapped for it.
    pub(crate) fn reaches_memory(&self) -> bool {
        // SAFETY: The device is bound, by the promise made to `new`.
        unsafe { bindings::edu_reaches_memory(self.as_raw()) }
    }

    /// Keeps it from accessing memory, also from sending interrupts.
    pub(crate) fn silence(&self) {
        let device: &pci::Device = &self.0;
        // `pci::Device` is transparent.
        let device = core::ptr::from_ref(device).cast_mut().cast();
        // SAFETY: The device is valid as long as there is a reference.
        unsafe { bindings::pci_clear_master(device) };
    }
}

/// Pages that are mapped for writing by the device, each by itself: it writes no more at once.
/// Dropping unmaps: the device must be idle.
pub(crate) struct Mapping {
    device: BoundDevice,
    addresses: KVVec<DmaAddress>,
    mapped: bool,
    flush: bool,
}

impl Mapping {
    /// `flush`: whether an IOMMU shall have forgotten them when they are unmapped. Errors: `ENOMEM`,
    /// also when the device cannot be given addresses.
    ///
    /// # Safety
    ///
    /// `device` stays bound, and the pages stay, until this is dropped or unmapped.
    pub(crate) unsafe fn new(device: &BoundDevice, pages: &Pages, flush: bool) -> Result<Self> {
        let mut mapping = Self {
            // SAFETY: As the caller promises.
            device: unsafe { BoundDevice::new(device.0.clone()) },
            addresses: KVVec::with_capacity(pages.as_slice().len(), GFP_KERNEL)?,
            mapped: true,
            flush,
        };
        for &page in pages.as_slice() {
            // SAFETY: The device is bound, and the page kept.
            let address = unsafe { bindings::edu_map_page(mapping.device.as_raw(), page) };
            if address == 0 {
                return Err(ENOMEM);
            }
            mapping.addresses.push(address, GFP_KERNEL)?;
        }
        Ok(mapping)
    }

    /// Number of pages.
    pub(crate) fn len(&self) -> u64 {
        self.addresses.len() as u64
    }

    /// Where the device sees page `page`, or saw it when it was mapped.
    pub(crate) fn address(&self, page: u64) -> Option<DmaAddress> {
        self.addresses.get(page as usize).copied()
    }

    /// Lets the CPU see what the device wrote to page `page`; nothing else of the mapping is
    /// touched. Does nothing when it is not mapped.
    pub(crate) fn sync_for_cpu(&self, page: u64) {
        if let (true, Some(address)) = (self.mapped, self.address(page)) {
            // SAFETY: The page is mapped, and the device does not write it now.
            unsafe { bindings::edu_sync_page(self.device.as_raw(), address) };
        }
    }

    /// May be called again. The addresses stay known.
    pub(crate) fn unmap(&mut self) {
        if !core::mem::take(&mut self.mapped) {
            return;
        }
        for &address in &self.addresses {
            // SAFETY: The page is mapped once.
            unsafe { bindings::edu_unmap_page(self.device.as_raw(), address) };
        }
        if self.flush {
            // SAFETY: The device is bound.
            unsafe { bindings::edu_flush_iommu(self.device.as_raw()) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.unmap();
    }
}
