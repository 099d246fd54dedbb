// SPDX-License-Identifier: GPL-2.0

//! dma-bufs as memory: what any driver does that imports them.

use crate::{bindings, target::Target};
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::{
    device::Device,
    error::{from_err_ptr, to_result},
    prelude::*,
};

fn raw(device: &Device) -> *mut bindings::device {
    // `Device` is transparent.
    core::ptr::from_ref(device).cast_mut().cast()
}

/// Lets the DMA API map memory for this device, which reaches all of it.
///
/// C: `dma_coerce_mask_and_coherent()`
pub(crate) fn set_dma_mask(device: &Device) -> Result {
    let raw = raw(device);
    // SAFETY: The device is ours, and does no DMA yet.
    unsafe {
        (*raw).dma_mask = core::ptr::addr_of_mut!((*raw).coherent_dma_mask);
        to_result(bindings::dma_set_mask(raw, u64::MAX))?;
        to_result(bindings::dma_set_coherent_mask(raw, u64::MAX))
    }
}

/// A dma-buf that is attached, and at first mapped. Dropping lets go of it; not to be done in the
/// invalidate callback.
pub(crate) struct Import {
    buffer: *mut bindings::dma_buf,
    attachment: *mut bindings::dma_buf_attachment,
    /// Null when it is not mapped. Changed under the reservation lock.
    table: AtomicPtr<bindings::sg_table>,
}

// SAFETY: dma-bufs may be used by every thread.
unsafe impl Send for Import {}
// SAFETY: As above.
unsafe impl Sync for Import {}

/// The reservation lock of a dma-buf.
pub(crate) struct Reserved<'a>(&'a Import);

impl Import {
    /// Attaches to the dma-buf `fd`; without `operations` as drivers do that cannot be made to give
    /// it back. Errors: those of `dma_buf_get()` and `dma_buf_dynamic_attach()`.
    ///
    /// # Safety
    ///
    /// `operations` and `context` stay until the result is dropped.
    pub(crate) unsafe fn new(
        fd: i32,
        device: &Device,
        operations: Option<&'static bindings::dma_buf_attach_ops>,
        context: *mut c_void,
    ) -> Result<Self> {
        // SAFETY: Any number may be tried.
        let buffer = from_err_ptr(unsafe { bindings::dma_buf_get(fd) })?;
        let operations = operations.map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: We hold a reference to the buffer; the rest is as the caller promises.
        let attachment = from_err_ptr(unsafe {
            bindings::dma_buf_dynamic_attach(buffer, raw(device), operations, context)
        })
        .inspect_err(|_| {
            // SAFETY: The reference ends here.
            unsafe { bindings::dma_buf_put(buffer) };
        })?;
        Ok(Self {
            buffer,
            attachment,
            table: AtomicPtr::new(core::ptr::null_mut()),
        })
    }

    fn lock_pointer(&self) -> *mut bindings::ww_mutex {
        // SAFETY: We hold a reference to the buffer, whose reservation does not change.
        unsafe { core::ptr::addr_of_mut!((*(*self.buffer).resv).lock) }
    }

    /// Not in the invalidate callback, where it is held. May sleep.
    pub(crate) fn reserve(&self) -> Reserved<'_> {
        // SAFETY: As dma_resv_lock(), a static inline; without a context it cannot fail.
        let _ = unsafe { bindings::ww_mutex_lock(self.lock_pointer(), core::ptr::null_mut()) };
        Reserved(self)
    }

    /// Lets go of the mapping, under the reservation lock: nothing uses its pages any more.
    ///
    /// # Safety
    ///
    /// The reservation lock is held.
    pub(crate) unsafe fn unmap_reserved(&self) {
        let table = self.table.swap(core::ptr::null_mut(), Ordering::Relaxed);
        if !table.is_null() {
            // SAFETY: It was mapped, and is not any more; the lock is held.
            unsafe { bindings::dma_buf_unmap_attachment(self.attachment, table, DIRECTION) };
        }
    }

    /// The same. May sleep.
    pub(crate) fn unmap(&self) {
        let _reserved = self.reserve();
        // SAFETY: Just locked.
        unsafe { self.unmap_reserved() };
    }
}

const DIRECTION: bindings::dma_data_direction = bindings::dma_data_direction::DMA_FROM_DEVICE;

impl Reserved<'_> {
    /// Maps it; the pages may be written until it is unmapped. Errors: the exporter's.
    pub(crate) fn map(&self) -> Result<Target> {
        // SAFETY: The lock is held.
        let table = from_err_ptr(unsafe {
            bindings::dma_buf_map_attachment(self.0.attachment, DIRECTION)
        })?;
        self.0.table.store(table, Ordering::Relaxed);
        let mut places = KVVec::new();
        // SAFETY: A table of a mapping has `nents` mapped entries.
        let (mut entry, count) = unsafe { ((*table).sgl, (*table).nents) };
        for _ in 0..count {
            // SAFETY: An entry of the table.
            let (address, length) = unsafe { ((*entry).dma_address, (*entry).dma_length) };
            // The engine has no IOMMU: what it puts on the bus are physical addresses.
            // SAFETY: That memory is ours as long as it is mapped.
            let place = unsafe {
                bindings::memremap(address, length as usize, bindings::MEMREMAP_WB as c_ulong)
            };
            if place.is_null() {
                return Err(EIO);
            }
            for offset in (0..length as usize).step_by(kernel::page::PAGE_SIZE) {
                // INVARIANT: Memory, which has an address always.
                places.push(place.wrapping_byte_add(offset).cast(), GFP_KERNEL)?;
            }
            // SAFETY: As above.
            entry = unsafe { bindings::sg_next(entry) };
        }
        Ok(Target::of_addresses(places))
    }

    /// Has everybody wait for `fence` who wants to use what is written. Errors: `ENOMEM`.
    pub(crate) fn add_fence(&self, fence: &Fence) -> Result {
        // SAFETY: The lock is held.
        unsafe {
            let reservation = (*self.0.buffer).resv;
            to_result(bindings::dma_resv_reserve_fences(reservation, 1))?;
            bindings::dma_resv_add_fence(
                reservation,
                fence.0,
                bindings::dma_resv_usage_DMA_RESV_USAGE_WRITE,
            );
        }
        Ok(())
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        // SAFETY: `reserve` locked it.
        unsafe { bindings::ww_mutex_unlock(self.0.lock_pointer()) };
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.unmap();
        // SAFETY: `new` attached and took the reference.
        unsafe {
            bindings::dma_buf_detach(self.buffer, self.attachment);
            bindings::dma_buf_put(self.buffer);
        }
    }
}

/// A fence that is over when it is dropped.
pub(crate) struct Fence(*mut bindings::dma_fence);

// SAFETY: Fences have locks.
unsafe impl Send for Fence {}
// SAFETY: As above.
unsafe impl Sync for Fence {}

static FENCE: bindings::dma_fence_ops = bindings::dma_fence_ops {
    get_driver_name: Some(fence_name),
    get_timeline_name: Some(fence_name),
    ..pin_init::zeroed()
};

unsafe extern "C" fn fence_name(_fence: *mut bindings::dma_fence) -> *const c_char {
    c"dmasim".as_char_ptr()
}

impl Fence {
    /// Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let fence = KBox::<bindings::dma_fence>::init(pin_init::init_zeroed(), GFP_KERNEL)?;
        let fence = KBox::into_raw(fence);
        // SAFETY: The memory is new, and freed by the last reference (`dma_fence_free()`).
        unsafe {
            let context = bindings::dma_fence_context_alloc(1);
            bindings::dma_fence_init(fence, &FENCE, core::ptr::null_mut(), context, 1);
        }
        Ok(Self(fence))
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // SAFETY: The reference is that of `new`; as dma_fence_put(), a static inline.
        unsafe {
            bindings::dma_fence_signal(self.0);
            let count = core::ptr::addr_of_mut!((*self.0).refcount);
            let last = (*count.cast::<kernel::sync::Refcount>()).dec_and_test();
            if last {
                bindings::dma_fence_release(count);
            }
        }
    }
}
