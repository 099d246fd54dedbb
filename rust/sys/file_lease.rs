// SPDX-License-Identifier: GPL-2.0

//! A lease in the kernel's own lease core, one for each leased inode.
//!
//! It makes the lease visible (`/proc/locks`) and known to `F_SETLEASE`, delegations and layouts.
//! It never breaks by itself: whole-file breaks by writers and openers do not concern a device
//! that writes the file; which operations conflict is decided by range, in our hooks.
//!
//! C: `fs/locks.c`, [`include/linux/filelock.h`](srctree/include/linux/filelock.h)

use crate::bindings;
use kernel::{error::to_result, fs::File, prelude::*, sync::aref::ARef};

/// The lease of one file. Dropping removes it.
pub(crate) struct FileLease {
    file: ARef<File>,
    /// What the core compares owners by.
    owner: *mut c_void,
}

// SAFETY: The core locks its leases itself; `owner` is only compared.
unsafe impl Send for FileLease {}
// SAFETY: As above.
unsafe impl Sync for FileLease {}

static OPERATIONS: bindings::lease_manager_operations = bindings::lease_manager_operations {
    lm_break: Some(lm_break),
    lm_change: Some(bindings::lease_modify),
    lm_breaker_owns_lease: Some(lm_breaker_owns_lease),
    lm_open_conflict: Some(lm_open_conflict),
    ..pin_init::zeroed()
};

/// Never called, as no breaker is foreign; must exist.
unsafe extern "C" fn lm_break(_lease: *mut bindings::file_lease) -> bool {
    false
}

unsafe extern "C" fn lm_breaker_owns_lease(_lease: *mut bindings::file_lease) -> bool {
    true
}

unsafe extern "C" fn lm_open_conflict(_file: *mut bindings::file, _arg: c_int) -> c_int {
    0
}

impl FileLease {
    /// Leases `file`. `owner` is unique. May sleep.
    ///
    /// Errors: `EACCES` when the caller neither owns the inode nor has CAP_LEASE, `EAGAIN` when a
    /// lease of the file is being broken, what the filesystem's `->setlease` says, `ENOMEM`.
    pub(crate) fn new(file: ARef<File>, owner: *mut c_void) -> Result<Self> {
        // SAFETY: May sleep here.
        let mut lease = unsafe { bindings::locks_alloc_lease() };
        if lease.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: The lease was just allocated, for us alone.
        unsafe {
            (*lease).c.flc_flags = bindings::CONST_FL_LAYOUT;
            (*lease).c.flc_type = bindings::F_RDLCK as u8;
            (*lease).c.flc_owner = owner;
            (*lease).c.flc_pid = kernel::current!().tgid();
            (*lease).c.flc_file = file.as_ptr();
            (*lease).fl_lmops = &OPERATIONS;
        }
        let raw = file.as_ptr();
        // SAFETY: Both are valid. On success the core owns the lease and clears the pointer.
        let result = to_result(unsafe {
            bindings::vfs_setlease(
                raw,
                bindings::F_RDLCK as c_int,
                &mut lease,
                core::ptr::null_mut(),
            )
        });
        if !lease.is_null() {
            // SAFETY: It stayed ours.
            unsafe { bindings::locks_free_lease(lease) };
        }
        result.map(|()| Self { file, owner })
    }
}

impl Drop for FileLease {
    fn drop(&mut self) {
        let mut owner = self.owner;
        // SAFETY: The core finds the lease by file and owner. Not vfs_setlease(): whoever drops
        // need not own the inode.
        unsafe {
            bindings::kernel_setlease(
                self.file.as_ptr(),
                bindings::F_UNLCK as c_int,
                core::ptr::null_mut(),
                &mut owner,
            )
        };
    }
}
