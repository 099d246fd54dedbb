// SPDX-License-Identifier: GPL-2.0

//! Address spaces of processes.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use super::vma::Vma;
use crate::bindings;
use core::ptr::NonNull;

/// A `struct mm_struct`, which need not have users any more.
///
/// # Invariants
///
/// Holds a reference (`mm_count`).
pub(crate) struct Mm(NonNull<bindings::mm_struct>);

// SAFETY: The reference may be dropped anywhere, and all methods may be called anywhere.
unsafe impl Send for Mm {}
// SAFETY: As above.
unsafe impl Sync for Mm {}

impl Mm {
    /// That of a VMA of a process.
    pub(crate) fn of(vma: &Vma) -> Self {
        let mm = vma.mm();
        // SAFETY: A VMA of a process has an address space, and its mmap lock is held.
        unsafe {
            bindings::pinlease_mmgrab(mm);
            // INVARIANT: A reference was just taken.
            Self(NonNull::new_unchecked(mm))
        }
    }

    /// That of the current process; `None` for a kernel thread.
    pub(crate) fn current() -> Option<Self> {
        // INVARIANT: The function takes a reference.
        // SAFETY: Any task context.
        NonNull::new(unsafe { bindings::pinlease_current_mm_grab() }.cast()).map(Self)
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::mm_struct {
        self.0.as_ptr()
    }

    /// What tells it from others as long as it is referenced.
    pub(crate) fn key(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether nobody uses it any more, nor will. Any context.
    pub(crate) fn is_gone(&self) -> bool {
        // SAFETY: By the invariant.
        unsafe { bindings::pinlease_mm_is_gone(self.0.as_ptr()) }
    }

    /// Whether somebody holds its mmap lock. When not, all who had it before have given it back.
    pub(crate) fn has_readers(&self) -> bool {
        // SAFETY: By the invariant.
        unsafe { bindings::pinlease_mm_has_readers(self.0.as_ptr()) }
    }
}

impl Clone for Mm {
    fn clone(&self) -> Self {
        // SAFETY: By the invariant.
        unsafe { bindings::pinlease_mmgrab(self.0.as_ptr()) };
        // INVARIANT: A reference was just taken.
        Self(self.0)
    }
}

impl Drop for Mm {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the reference ends here.
        unsafe { bindings::pinlease_mmdrop(self.0.as_ptr()) };
    }
}
