// SPDX-License-Identifier: GPL-2.0

//! The memory that an engine writes.

use crate::{bindings, import::Import};
use kernel::{error::from_err_ptr, error::to_result, prelude::*, sync::Arc};

/// Pages that a device may write, in order.
///
/// # Invariants
///
/// The pages are kept by the [`Memory`] that they are of.
pub(crate) struct Pages(Places);

/// Where they are.
enum Places {
    Pages(KVVec<*mut bindings::page>),
    /// In the kernel's own mapping of all memory, found by the addresses that a device is given.
    Addresses(KVVec<*mut u64>),
}

// SAFETY: Pages may be written by every thread.
unsafe impl Send for Pages {}
// SAFETY: As above: what two devices write at once is their users' business.
unsafe impl Sync for Pages {}

impl Pages {
    /// Each is that of a page, which is kept as said above.
    pub(crate) fn of_addresses(addresses: KVVec<*mut u64>) -> Self {
        Self(Places::Addresses(addresses))
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.0 {
            Places::Pages(pages) => pages.len() as u64,
            Places::Addresses(addresses) => addresses.len() as u64,
        }
    }

    /// Fills page `index` with what it has in `generation`, word for word, unseen by page tables.
    /// Does nothing beyond the last page.
    pub(crate) fn write(&self, index: u64, generation: u64) {
        let word = generation << 32 | index;
        match &self.0 {
            Places::Pages(pages) => {
                let Some(&page) = pages.get(index as usize) else {
                    return;
                };
                // SAFETY: The page is kept, by the invariants, and mapped until `kunmap_local`.
                unsafe {
                    let words = bindings::kmap_local_page(page).cast::<u64>();
                    fill(words, word);
                    bindings::kunmap_local(words.cast());
                }
            }
            Places::Addresses(addresses) => {
                if let Some(&words) = addresses.get(index as usize) {
                    // SAFETY: The page is kept, by the invariants.
                    unsafe { fill(words, word) };
                }
            }
        }
    }
}

/// Writes as a device does: each word once, in order, whatever the compiler thinks.
///
/// # Safety
///
/// `words` is a page that may be written.
unsafe fn fill(words: *mut u64, word: u64) {
    for offset in 0..kernel::page::PAGE_SIZE / size_of::<u64>() {
        // SAFETY: As the caller promises.
        unsafe { words.add(offset).write_volatile(word) };
    }
}

/// What keeps the pages.
#[expect(dead_code, reason = "held for what dropping it does")]
pub(crate) enum Memory {
    /// pinlease does.
    Attached(Attachment),
    /// The exporter of a dma-buf does, while it is mapped.
    Imported(Arc<Import>),
    /// A plain pin does. Let go without marking pages dirty, as io_uring lets go of its buffers.
    Raw(RawPin),
}

/// An attachment to a pin of pinlease. Dropping detaches: not to be done under a lock that the
/// revoke callback takes.
pub(crate) struct Attachment(*mut bindings::pinlease_attachment);

// SAFETY: pinlease's functions may be called by every task.
unsafe impl Send for Attachment {}

impl Attachment {
    /// Errors: those of `pinlease_attach()`.
    ///
    /// # Safety
    ///
    /// `operations` and `context` stay until the attachment is dropped.
    pub(crate) unsafe fn new(
        lease_fd: i32,
        pin_id: u64,
        operations: &'static bindings::pinlease_driver_ops,
        context: *mut c_void,
    ) -> Result<Self> {
        // SAFETY: As the caller promises.
        let attachment =
            unsafe { bindings::pinlease_attach(lease_fd, pin_id, operations, context) };
        from_err_ptr(attachment).map(Self)
    }

    /// To be called under a lock that the revoke callback takes. Errors: `ENODEV` when it was
    /// revoked, `ENOMEM`.
    pub(crate) fn pages(&self) -> Result<Pages> {
        // SAFETY: The attachment is not detached.
        let table = from_err_ptr(unsafe { bindings::pinlease_sg_table(self.0) }.cast_mut())?;
        let mut pages = KVVec::new();
        // SAFETY: The table is valid until the revoke callback returns, which waits for our caller.
        let mut entry = unsafe { (*table).sgl };
        while !entry.is_null() {
            // As sg_page(), a static inline: the two lowest bits are marks of the chain.
            // SAFETY: An entry of the table.
            let (base, offset, length) = unsafe {
                let link = (*entry).page_link & !3;
                (
                    link as *mut bindings::page,
                    (*entry).offset,
                    (*entry).length,
                )
            };
            let first = offset as usize / kernel::page::PAGE_SIZE;
            for index in first..first + length as usize / kernel::page::PAGE_SIZE {
                // SAFETY: The pages of an entry are consecutive.
                pages.push(unsafe { base.add(index) }, GFP_KERNEL)?;
            }
            // SAFETY: As above.
            entry = unsafe { bindings::sg_next(entry) };
        }
        Ok(Pages(Places::Pages(pages)))
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // SAFETY: `new` attached, and the engine's thread has stopped.
        unsafe { bindings::pinlease_detach(self.0) };
    }
}

/// User memory that is pinned without a lease.
pub(crate) struct RawPin {
    pages: KVVec<*mut bindings::page>,
    /// Whether unpinning makes them dirty.
    dirty: bool,
}

// SAFETY: Unpinning is allowed in any task.
unsafe impl Send for RawPin {}

impl RawPin {
    /// Pins `pages` pages at `address`. Errors: those of `pin_user_pages_fast()`, `EFAULT` when
    /// not all can be pinned.
    pub(crate) fn new(address: usize, pages: usize, longterm: bool, dirty: bool) -> Result<Self> {
        let mut flags = bindings::FOLL_WRITE;
        if longterm {
            flags |= bindings::FOLL_LONGTERM;
        }
        let mut pin = Self {
            pages: KVVec::with_capacity(pages, GFP_KERNEL)?,
            dirty,
        };
        while pin.pages.len() < pages {
            let done = pin.pages.len();
            // SAFETY: There is room for so many pointers.
            let got = unsafe {
                bindings::pin_user_pages_fast(
                    address + done * kernel::page::PAGE_SIZE,
                    (pages - done).min(512) as c_int,
                    flags as c_uint,
                    pin.pages.spare_capacity_mut().as_mut_ptr().cast(),
                )
            };
            to_result(got)?;
            if got == 0 {
                return Err(EFAULT);
            }
            // SAFETY: So many were written.
            unsafe { pin.pages.inc_len(got as usize) };
        }
        Ok(pin)
    }

    /// Errors: `ENOMEM`.
    pub(crate) fn pages(&self) -> Result<Pages> {
        let mut pages = KVVec::with_capacity(self.pages.len(), GFP_KERNEL)?;
        for &page in &self.pages {
            pages.push(page, GFP_KERNEL)?;
        }
        Ok(Pages(Places::Pages(pages)))
    }
}

impl Drop for RawPin {
    fn drop(&mut self) {
        // SAFETY: Each of them was pinned once. May sleep.
        unsafe {
            bindings::unpin_user_pages_dirty_lock(
                self.pages.as_mut_ptr(),
                self.pages.len(),
                self.dirty,
            )
        };
    }
}
