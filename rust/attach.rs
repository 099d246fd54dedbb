// SPDX-License-Identifier: GPL-2.0

//! Pins for other drivers: the C ABI of `include/linux/pinlease.h`.

use crate::{
    bindings,
    gup::Pinned,
    lease_file,
    pin::{HeldPin, User},
    policy::range::PAGE_SIZE,
    sys::file,
};
use kernel::{error::to_result, new_mutex, prelude::*, sync::Arc, sync::Mutex};

/// A driver's use of a pin.
///
/// Lock order: `calls`, which is held while the driver is called, outside of `memory`.
#[pin_data]
pub(crate) struct Attachment {
    driver: Driver,
    /// Whether the driver may be called; held while it is.
    #[pin]
    calls: Mutex<Calls>,
    /// `None` once revoked or detached.
    #[pin]
    memory: Mutex<Option<Memory>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    Allowed,
    /// It detached, or was revoked already.
    Over,
}

/// What an attachment keeps.
struct Memory {
    table: KBox<Table>,
    pin: Arc<HeldPin>,
}

/// What the driver gave us to call.
struct Driver {
    operations: *const bindings::pinlease_driver_ops,
    context: *mut c_void,
}

// SAFETY: The driver promises that its operations live until it detaches, and may be called from
// any task.
unsafe impl Send for Driver {}
// SAFETY: As above.
unsafe impl Sync for Driver {}

impl Driver {
    fn revoke(&self) {
        // SAFETY: The driver keeps its operations until it detaches.
        if let Some(revoke) = unsafe { (*self.operations).revoke } {
            // SAFETY: In process context, with the context that goes with it.
            unsafe { revoke(self.context) };
        }
    }
}

/// A `struct sg_table` of a pin's pages.
struct Table(bindings::sg_table);

// SAFETY: The table is memory that any task may read and free.
unsafe impl Send for Table {}

impl Table {
    /// One entry for each folio, in file order. May sleep. Errors: `ENOMEM`.
    fn of(pages: &Pinned) -> Result<KBox<Self>> {
        let mut table = KBox::new(Self(pin_init::zeroed()), GFP_KERNEL)?;
        // SAFETY: The table is ours, and zero.
        to_result(unsafe {
            bindings::sg_alloc_table(
                &mut table.0,
                pages.run_count() as c_uint,
                bindings::GFP_KERNEL,
            )
        })?;
        let mut entry = table.0.sgl;
        for (run, folio) in pages.folios() {
            let first = pages.range().first() + u64::from(run.delta);
            let offset = (first - folio.index()) * PAGE_SIZE;
            let length = u64::from(run.pages) * PAGE_SIZE;
            // SAFETY: The table has as many entries as there are runs.
            unsafe {
                bindings::pinlease_sg_set_folio_part(
                    entry,
                    folio.as_ptr(),
                    length as usize,
                    offset as usize,
                );
                entry = bindings::pinlease_sg_next(entry);
            }
        }
        Ok(table)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: `of` allocated it; a failed allocation leaves nothing to free.
        unsafe { bindings::sg_free_table(&mut self.0) };
    }
}

impl User for Attachment {
    /// Stops the driver and lets go of the pin: a driver has no choice.
    fn revoke(&self) -> bool {
        let mut calls = self.calls.lock();
        if *calls == Calls::Allowed {
            *calls = Calls::Over;
            self.driver.revoke();
            let memory = self.memory.lock().take();
            drop(memory);
        }
        true
    }
}

impl Attachment {
    fn new(lease_fd: c_int, pin_id: u64, driver: Driver) -> Result<Arc<Self>> {
        let lease = lease_file::of_file(&*file::of_descriptor(lease_fd)?)?;
        lease.valid_range()?;
        let pin = lease.find_pin(pin_id)?;
        let table = Table::of(pin.pages())?;
        let memory = Memory {
            table,
            pin: pin.clone(),
        };
        let attachment = Arc::pin_init(
            try_pin_init!(Self {
                driver,
                calls <- new_mutex!(Calls::Allowed),
                memory <- new_mutex!(Some(memory)),
            }),
            GFP_KERNEL,
        )?;
        pin.add_user(attachment.clone())?;
        Ok(attachment)
    }

    /// After this the driver is not called any more.
    fn detach(&self) {
        // Waits for a call that is under way.
        *self.calls.lock() = Calls::Over;
        let memory = self.memory.lock().take();
        if let Some(memory) = memory {
            memory.pin.remove_user(self);
        }
    }
}

/// See `include/linux/pinlease.h`.
///
/// # Safety
///
/// `operations` lives until [`pinlease_detach`] has returned, and goes with `context`.
#[no_mangle]
unsafe extern "C" fn pinlease_attach(
    lease_fd: c_int,
    pin_id: u64,
    operations: *const bindings::pinlease_driver_ops,
    context: *mut c_void,
) -> *mut bindings::pinlease_attachment {
    let driver = Driver {
        operations,
        context,
    };
    match Attachment::new(lease_fd, pin_id, driver) {
        Ok(attachment) => Arc::into_raw(attachment).cast_mut().cast(),
        Err(error) => error.to_ptr(),
    }
}

/// See `include/linux/pinlease.h`.
///
/// # Safety
///
/// `attachment` is from [`pinlease_attach`] and not detached.
#[no_mangle]
unsafe extern "C" fn pinlease_sg_table(
    attachment: *mut bindings::pinlease_attachment,
) -> *const bindings::sg_table {
    // SAFETY: As the caller promises.
    let attachment: &Attachment = unsafe { &*attachment.cast() };
    match &*attachment.memory.lock() {
        Some(memory) => &memory.table.0,
        None => ENODEV.to_ptr(),
    }
}

/// See `include/linux/pinlease.h`.
///
/// # Safety
///
/// `attachment` is from [`pinlease_attach`], and not used afterwards.
#[no_mangle]
unsafe extern "C" fn pinlease_detach(attachment: *mut bindings::pinlease_attachment) {
    // SAFETY: As the caller promises.
    let attachment = unsafe { Arc::<Attachment>::from_raw(attachment.cast_const().cast()) };
    attachment.detach();
}
