// SPDX-License-Identifier: GPL-2.0

//! Pages as a device sees them (`struct sg_table`), and as the kernel does (`vmap()`).
//!
//! C header: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h)

use super::dma_buf::{Attached, Direction};
use crate::bindings;
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*, types::Opaque};

/// Pages that are kept.
///
/// # Safety
///
/// `pages` returns the same valid pages always, and whoever implements this keeps them.
pub(crate) unsafe trait KeptPages {
    fn pages(&self) -> &[*mut bindings::page];
}

/// What names a [`DeviceTable`] to importers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableKey(*mut bindings::sg_table);

impl TableKey {
    pub(super) fn new(table: *mut bindings::sg_table) -> Self {
        Self(table)
    }

    pub(super) fn as_ptr(self) -> *mut bindings::sg_table {
        self.0
    }
}

/// Pages that are mapped for a device. Dropping unmaps them, which may sleep.
///
/// # Invariants
///
/// `table` is mapped for `device`, which whoever asked for the mapping keeps.
pub(crate) struct DeviceTable<P> {
    table: Opaque<bindings::sg_table>,
    device: *mut bindings::device,
    direction: Direction,
    _pages: P,
}

// SAFETY: The DMA API may be called by every thread.
unsafe impl<P: Send> Send for DeviceTable<P> {}

/// An entry's length for a device that says nothing, as `dma_get_max_seg_size()` has it.
const SEGMENT: c_uint = 65536;

impl<P: KeptPages> DeviceTable<P> {
    /// One entry for each run of consecutive pages that is no longer than the device can take. May
    /// sleep.
    ///
    /// C: `sg_alloc_table_from_pages_segment()`, `dma_map_sgtable()`
    ///
    /// Errors: `ENOMEM`; the DMA API's: `EIO`, `EINVAL`.
    pub(crate) fn new(pages: P, attached: &Attached, direction: Direction) -> Result<KBox<Self>> {
        let device = attached.device();
        let mut new = KBox::<Self>::new_uninit(GFP_KERNEL)?;
        let place = new.as_mut_ptr();
        let list = pages.pages();
        // SAFETY: The device is kept; its parameters are static.
        let segment = unsafe {
            match (*device).dma_parms.as_ref() {
                Some(limits) if limits.max_segment_size != 0 => limits.max_segment_size,
                _ => SEGMENT,
            }
        };
        // SAFETY: The place is ours; a field's address.
        let table = unsafe { Opaque::cast_into(core::ptr::addr_of!((*place).table)) };
        // SAFETY: `table` may be written; the pages are valid and only read from the list.
        to_result(unsafe {
            bindings::sg_alloc_table_from_pages_segment(
                table,
                list.as_ptr().cast_mut(),
                list.len() as c_uint,
                0,
                list.len() << kernel::page::PAGE_SHIFT,
                segment,
                bindings::GFP_KERNEL,
            )
        })?;
        // SAFETY: The device and the table are valid.
        to_result(unsafe { bindings::dma_map_sgtable(device, table, direction.raw(), 0) })
            .inspect_err(|_| {
                // SAFETY: Allocated above.
                unsafe { bindings::sg_free_table(table) };
            })?;
        // INVARIANT: Just mapped.
        // SAFETY: All other fields are written here, and the table above.
        unsafe {
            core::ptr::addr_of_mut!((*place).device).write(device);
            core::ptr::addr_of_mut!((*place).direction).write(direction);
            core::ptr::addr_of_mut!((*place)._pages).write(pages);
            Ok(new.assume_init())
        }
    }
}

impl<P> DeviceTable<P> {
    /// It stays where it is as long as it lives in a box.
    pub(crate) fn key(&self) -> TableKey {
        TableKey(self.table.get())
    }

    /// The CPU sees what the device wrote.
    pub(crate) fn sync_for_cpu(&self, direction: Direction) {
        let table = self.table.get();
        // SAFETY: By the invariants. As dma_sync_sgtable_for_cpu(), a static inline.
        unsafe {
            bindings::__dma_sync_sg_for_cpu(
                self.device,
                (*table).sgl,
                (*table).orig_nents as c_int,
                direction.raw(),
            )
        };
    }

    /// The device sees what the CPU wrote.
    pub(crate) fn sync_for_device(&self, direction: Direction) {
        let table = self.table.get();
        // SAFETY: By the invariants. As dma_sync_sgtable_for_device(), a static inline.
        unsafe {
            bindings::__dma_sync_sg_for_device(
                self.device,
                (*table).sgl,
                (*table).orig_nents as c_int,
                direction.raw(),
            )
        };
    }
}

impl<P> Drop for DeviceTable<P> {
    fn drop(&mut self) {
        let table = self.table.get();
        // SAFETY: By the invariants; nobody has the table any more.
        unsafe {
            // As dma_unmap_sgtable(), a static inline.
            bindings::dma_unmap_sg_attrs(
                self.device,
                (*table).sgl,
                (*table).orig_nents as c_int,
                self.direction.raw(),
                0,
            );
            bindings::sg_free_table(table);
        }
    }
}

/// Pages that the kernel has mapped side by side. Dropping unmaps them, which may sleep.
///
/// # Invariants
///
/// `address` is from `vmap()`.
pub(crate) struct KernelMapping<P> {
    address: NonNull<c_void>,
    _pages: P,
}

// SAFETY: `vunmap()` may be called by every thread that may sleep.
unsafe impl<P: Send> Send for KernelMapping<P> {}

impl<P: KeptPages> KernelMapping<P> {
    /// May sleep. Errors: `ENOMEM`.
    pub(crate) fn new(pages: P) -> Result<Self> {
        let list = pages.pages();
        // SAFETY: The pages are valid, and kept as long as the mapping; the list is only read.
        let address =
            unsafe { bindings::pinlease_vmap(list.as_ptr().cast_mut(), list.len() as c_uint) };
        // INVARIANT: Just mapped.
        Ok(Self {
            address: NonNull::new(address).ok_or(ENOMEM)?,
            _pages: pages,
        })
    }

    pub(crate) fn address(&self) -> NonNull<c_void> {
        self.address
    }
}

impl<P> Drop for KernelMapping<P> {
    fn drop(&mut self) {
        // SAFETY: By the invariant, once.
        unsafe { bindings::vunmap(self.address.as_ptr()) };
    }
}
