// SPDX-License-Identifier: GPL-2.0

//! `struct vm_area_struct`: those of processes, and private ones to call `page_mkwrite` with.
//!
//! C header: [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h)

use super::{file::FileExt, folio::Folio, process::Process, task};
use crate::{
    bindings,
    policy::range::{PageRange, PAGE_SIZE},
};
use kernel::{fs::File, prelude::*, sync::aref::ARef, types::Opaque};

/// A VMA of some process, kept by its mmap lock.
#[repr(transparent)]
pub(crate) struct Vma(Opaque<bindings::vm_area_struct>);

impl Vma {
    /// Key of the mapped file's page cache; `None` for anonymous memory.
    pub(crate) fn mapping_key(&self) -> Option<usize> {
        // SAFETY: The VMA is valid and its file does not change.
        let file = unsafe { (*self.0.get()).vm_file };
        // SAFETY: A mapped file is open.
        (!file.is_null()).then(|| unsafe { (*file).f_mapping } as usize)
    }

    pub(crate) fn operations(&self) -> *const bindings::vm_operations_struct {
        // SAFETY: The VMA is valid.
        unsafe { (*self.0.get()).vm_ops }
    }

    /// The file offset that `address` maps; `address` is in the VMA.
    pub(crate) fn offset_of(&self, address: usize) -> u64 {
        // SAFETY: The VMA is valid, its bounds are stable under the mmap lock.
        let (start, first_page) = unsafe { (self.start(), (*self.0.get()).vm_pgoff) };
        ((first_page as u64) << kernel::page::PAGE_SHIFT) + (address - start) as u64
    }

    /// The file range that it maps. Errors: `EINVAL` when no file can have that.
    pub(crate) fn range(&self) -> Result<PageRange> {
        // SAFETY: The VMA is valid, and its bounds are stable under the mmap lock.
        let first = unsafe { (*self.0.get()).vm_pgoff };
        let pages = (self.end() - self.start()) >> kernel::page::PAGE_SHIFT;
        Ok(PageRange::new(first as u64, pages as u64)?)
    }

    /// The address space that it is in.
    pub(crate) fn mm(&self) -> *mut bindings::mm_struct {
        // SAFETY: The VMA is valid.
        unsafe { (*self.0.get()).vm_mm }
    }

    /// Whether it is in the address space of `process`.
    pub(crate) fn is_of(&self, process: &Process) -> bool {
        // SAFETY: Both are valid.
        unsafe { bindings::pinlease_mm_is_of(self.mm(), process.as_ptr()) }
    }

    fn start(&self) -> usize {
        // SAFETY: The VMA is valid, its bounds are stable under the mmap lock.
        unsafe { (*self.0.get()).__bindgen_anon_1.__bindgen_anon_1.vm_start }
    }

    /// One past its last byte.
    pub(crate) fn end(&self) -> usize {
        // SAFETY: The VMA is valid, its bounds are stable under the mmap lock.
        unsafe { (*self.0.get()).__bindgen_anon_1.__bindgen_anon_1.vm_end }
    }

    /// Whether writes to it go to the file.
    pub(crate) fn is_shared_writable(&self) -> bool {
        const BOTH: c_ulong = (bindings::VM_SHARED | bindings::VM_WRITE) as c_ulong;
        // SAFETY: The VMA is valid.
        let flags = unsafe { (*self.0.get()).__bindgen_anon_2.vm_flags };
        flags & BOTH == BOTH
    }
}

/// A VMA of no process: all that a filesystem's `page_mkwrite` looks at is its file.
///
/// # Invariants
///
/// `vma` is zero but for the file, which `file` keeps, and the operations of the filesystem's own
/// mappings, which have a `page_mkwrite`.
pub(crate) struct PrivateVma {
    vma: KBox<bindings::vm_area_struct>,
    file: ARef<File>,
}

// SAFETY: `page_mkwrite` only reads the VMA, and files may be used by every thread.
unsafe impl Send for PrivateVma {}
// SAFETY: As above.
unsafe impl Sync for PrivateVma {}

impl PrivateVma {
    /// `like` is a mapping of `file`. Errors: `EOPNOTSUPP` when its filesystem has no
    /// `page_mkwrite`, `ENOMEM`.
    pub(crate) fn new(file: ARef<File>, like: &Vma) -> Result<Self> {
        let operations = like.operations();
        // SAFETY: The operations of a VMA are static.
        let operations = unsafe { operations.as_ref() }.ok_or(EOPNOTSUPP)?;
        operations.page_mkwrite.ok_or(EOPNOTSUPP)?;
        let mut vma: KBox<bindings::vm_area_struct> =
            KBox::init(pin_init::init_zeroed(), GFP_KERNEL)?;
        vma.vm_file = file.raw();
        vma.vm_ops = operations;
        vma.__bindgen_anon_2.vm_flags = (bindings::VM_SHARED | bindings::VM_WRITE) as c_ulong;
        // INVARIANT: As just set.
        Ok(Self { vma, file })
    }

    /// Lets the filesystem make `folio` dirty, with all that it needs for that. May sleep and
    /// wait: for writeback of the folio, for space, for a frozen filesystem to thaw.
    ///
    /// C: `do_page_mkwrite()` and `fault_dirty_shared_page()` in `mm/memory.c`.
    ///
    /// Errors: `ENOENT` when the folio left the file, `ENOMEM`, and [`FileExt::fault_error`].
    pub(crate) fn make_writable(&self, folio: &Folio) -> Result {
        const RETRIES: usize = 1000;
        let mapping = self.file.mapping().key();
        for _ in 0..RETRIES {
            if folio.mapping().map(super::mapping::Mapping::key) != Some(mapping) {
                return Err(ENOENT);
            }
            match self.page_mkwrite(folio) {
                result if result & bindings::vm_fault_reason_VM_FAULT_LOCKED != 0 => {
                    // SAFETY: page_mkwrite returned with the folio locked.
                    unsafe {
                        bindings::folio_mark_dirty(folio.as_ptr());
                        bindings::folio_unlock(folio.as_ptr());
                    }
                    return Ok(());
                }
                result if result & bindings::vm_fault_reason_VM_FAULT_OOM != 0 => {
                    return Err(ENOMEM)
                }
                result if result & bindings::vm_fault_reason_VM_FAULT_NOPAGE != 0 => {
                    // The folio changed hands, or the filesystem wants to be asked again.
                    task::reschedule();
                }
                _ => return Err(self.file.fault_error(folio.pages() * PAGE_SIZE)),
            }
        }
        Err(EIO)
    }

    fn page_mkwrite(&self, folio: &Folio) -> c_uint {
        let mut fault: bindings::vm_fault = pin_init::zeroed();
        fault.__bindgen_anon_1.vma = core::ptr::from_ref(&*self.vma).cast_mut();
        fault.__bindgen_anon_1.gfp_mask = bindings::GFP_KERNEL;
        fault.__bindgen_anon_1.pgoff = folio.index() as c_ulong;
        fault.flags =
            bindings::fault_flag_FAULT_FLAG_WRITE | bindings::fault_flag_FAULT_FLAG_MKWRITE;
        // A folio's first page is at the folio's address.
        fault.page = folio.as_ptr().cast();
        // SAFETY: By the invariants.
        let page_mkwrite = unsafe { (*self.vma.vm_ops).page_mkwrite };
        match page_mkwrite {
            // SAFETY: The fault is one that the memory manager could make, and the caller keeps the
            // folio.
            Some(page_mkwrite) => unsafe { page_mkwrite(&mut fault) },
            None => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
        }
    }
}
