// SPDX-License-Identifier: GPL-2.0

//! An attachment to a pin: the C ABI of `include/linux/pinlease.h`.

use super::Pages;
use crate::bindings;
use kernel::{error::from_err_ptr, prelude::*};

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
    /// `operations` and `context` stay until the attachment is dropped, and go together.
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
        Ok(Pages::new(pages))
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // SAFETY: `new` attached, and the device does not use the pages any more.
        unsafe { bindings::pinlease_detach(self.0) };
    }
}
