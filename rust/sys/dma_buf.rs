// SPDX-License-Identifier: GPL-2.0

//! dma-bufs: memory that any driver can map for its device, behind a file descriptor.
//!
//! Locks: `attach`, `may_map`, `release` and the CPU accesses are called with none; `map`, `unmap`,
//! `kernel_map` and `kernel_unmap` with the reservation lock (`dma_resv`) of the dma-buf; `fault`
//! with the mmap lock of a process.
//!
//! C header: [`include/linux/dma-buf.h`](srctree/include/linux/dma-buf.h)

use super::dma_table::TableKey;
use crate::bindings;
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    error::{from_err_ptr, from_result},
    fs::{file::FileDescriptorReservation, File},
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex},
    types::Opaque,
};

/// What has the memory of a dma-buf. All but `fault` may sleep.
pub(crate) trait Exporter: Send + Sync + Sized + 'static {
    /// As debugfs shows it.
    const NAME: &'static CStr;

    fn handle(&self) -> &Handle;

    /// A driver wants to use it for a device.
    fn attach(&self, attached: &Attached) -> Result;

    /// Maps it for a device, until [`unmap`](Self::unmap).
    fn map(&self, attached: &Attached, direction: Direction) -> Result<TableKey>;

    fn unmap(&self, table: TableKey);

    /// Maps it for the kernel, until [`kernel_unmap`](Self::kernel_unmap). The kernel takes failure
    /// for a bug (`dma_buf_vmap()` warns).
    fn kernel_map(&self) -> Result<NonNull<c_void>>;

    fn kernel_unmap(&self);

    fn begin_cpu_access(&self, direction: Direction) -> Result;

    fn end_cpu_access(&self, direction: Direction);

    /// Whether processes may map it.
    fn may_map(&self) -> Result;

    /// Calls `insert` with the frame number of page `index`, under whatever keeps that page; `None`
    /// when there is no page any more. May sleep to allocate page tables.
    fn fault(&self, index: u64, insert: impl FnOnce(c_ulong) -> c_uint) -> Option<c_uint>;

    /// Nobody has the dma-buf any more. May run in a kernel thread.
    fn release(this: Arc<Self>);
}

/// Who writes, as the DMA API has it.
#[derive(Clone, Copy)]
pub(crate) struct Direction(bindings::dma_data_direction);

impl Direction {
    pub(super) fn raw(self) -> bindings::dma_data_direction {
        self.0
    }
}

/// A driver's use of a dma-buf, `struct dma_buf_attachment`.
#[repr(transparent)]
pub(crate) struct Attached(Opaque<bindings::dma_buf_attachment>);

impl Attached {
    /// Whether the driver can be made to unmap in bounded time.
    pub(crate) fn is_revocable(&self) -> bool {
        // SAFETY: An attachment has the operations that its importer gave.
        unsafe { bindings::dma_buf_attach_revocable(self.0.get()) }
    }

    /// The device, which the importer keeps.
    pub(super) fn device(&self) -> *mut bindings::device {
        // SAFETY: An attachment has a device.
        unsafe { (*self.0.get()).dev }
    }

    pub(super) fn device_name(&self) -> *const c_char {
        let device = self.device();
        // SAFETY: The device is valid. As dev_name(), a static inline.
        unsafe {
            let initial = (*device).init_name;
            if initial.is_null() {
                (*device).kobj.name
            } else {
                initial
            }
        }
    }
}

/// An exporter's way to its dma-buf, which does not keep it.
#[pin_data]
pub(crate) struct Handle {
    /// Held while the dma-buf is worked with: its release waits.
    #[pin]
    buffer: Mutex<Option<Pointer>>,
}

#[derive(Clone, Copy)]
struct Pointer(NonNull<bindings::dma_buf>);

// SAFETY: A dma-buf is used by all threads; its fields have locks.
unsafe impl Send for Pointer {}

/// A dma-buf that somebody has open.
pub(crate) struct Active {
    buffer: NonNull<bindings::dma_buf>,
    /// Keeps the buffer.
    file: ARef<File>,
}

impl Handle {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self { buffer <- new_mutex!(None) })
    }

    /// Works with the dma-buf; `None` when nobody has it any more, so that no importer does. May
    /// sleep.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&Active) -> R) -> Option<R> {
        let held = self.buffer.lock();
        let Pointer(buffer) = (*held)?;
        // SAFETY: `release` below waits for the lock before the buffer is freed; the pointer to its
        // file does not change, and files are freed by RCU.
        let file = NonNull::new(unsafe {
            bindings::get_file_active(core::ptr::addr_of_mut!((*buffer.as_ptr()).file))
        })?;
        // SAFETY: The reference was just taken; nobody holds the position lock of a dma-buf's file for
        // this thread, which is in no system call on it.
        let file = unsafe { ARef::<File>::from_raw(file.cast()) };
        Some(work(&Active { buffer, file }))
    }
}

/// Milliseconds that a revoked dma-buf's fences are waited for.
const FENCES_MS: c_uint = 1000;

impl Active {
    fn reservation(&self) -> *mut bindings::dma_resv {
        // SAFETY: The buffer is kept; its reservation does not change.
        unsafe { (*self.buffer.as_ptr()).resv }
    }

    /// Calls `close`, tells all importers that can be told to let go, and waits for their fences,
    /// at most a second, all under the reservation lock. May sleep.
    ///
    /// C: `dma_buf_invalidate_mappings()`
    pub(crate) fn invalidate(&self, close: impl FnOnce()) {
        let reservation = self.reservation();
        // SAFETY: The buffer is kept, and the lock is not held: importers call us with it, and
        // `Handle::with` is not called from there.
        unsafe { bindings::pinlease_dma_resv_lock(reservation) };
        close();
        // SAFETY: Under the lock.
        unsafe {
            bindings::dma_buf_invalidate_mappings(self.buffer.as_ptr());
            bindings::dma_resv_wait_timeout(
                reservation,
                bindings::dma_resv_usage_DMA_RESV_USAGE_BOOKKEEP,
                false,
                bindings::__msecs_to_jiffies(FENCES_MS),
            );
            bindings::pinlease_dma_resv_unlock(reservation);
        }
    }

    /// Whether all fences are over, so that no device uses the memory on account of them.
    pub(crate) fn is_idle(&self) -> bool {
        // SAFETY: The buffer is kept. Looks at fences by RCU.
        unsafe {
            bindings::dma_resv_test_signaled(
                self.reservation(),
                bindings::dma_resv_usage_DMA_RESV_USAGE_BOOKKEEP,
            )
        }
    }

    /// Takes the pages out of all processes' mappings; who touches one comes to
    /// [`Exporter::fault`]. May sleep.
    pub(crate) fn zap(&self) {
        // SAFETY: Each dma-buf has an inode of its own, hence a mapping.
        unsafe {
            let mapping = (*self.file.as_ptr()).f_mapping;
            bindings::unmap_mapping_range(mapping, 0, 0, 1);
        }
    }
}

/// The only reference to a new dma-buf.
pub(crate) struct Exported(ARef<File>);

impl Exported {
    /// Gives it to the current process.
    pub(crate) fn install(self, descriptor: FileDescriptorReservation) -> u32 {
        let number = descriptor.reserved_fd();
        descriptor.fd_install(self.0);
        number
    }
}

/// What a dma-buf is to be.
pub(crate) struct Wanted<'a> {
    /// Bytes.
    pub(crate) size: usize,
    /// `O_RDONLY` or `O_RDWR`.
    pub(crate) access: u32,
    /// Whether the kernel may map it, which cannot be taken back.
    pub(crate) kernel_maps: bool,
    /// What is shown until somebody sets another name.
    pub(crate) name: &'a CStr,
}

/// Makes a dma-buf of `this`, which lives until its release. May sleep. Errors: `ENOMEM`, `ENFILE`.
///
/// C: `dma_buf_export()`
pub(crate) fn export<T: Exporter>(this: &Arc<T>, wanted: &Wanted<'_>) -> Result<Exported> {
    let private = Arc::into_raw(this.clone());
    let info = bindings::dma_buf_export_info {
        exp_name: T::NAME.as_char_ptr(),
        owner: this_module::<crate::LocalModule>().as_ptr(),
        ops: match wanted.kernel_maps {
            true => Operations::<T>::ALL,
            false => Operations::<T>::WITHOUT_KERNEL,
        },
        size: wanted.size,
        flags: wanted.access as c_int,
        resv: core::ptr::null_mut(),
        priv_: private.cast_mut().cast(),
    };
    // SAFETY: The operations are static, and `private` is what they expect.
    let buffer = from_err_ptr(unsafe { bindings::dma_buf_export(&info) }).inspect_err(|_| {
        // SAFETY: No dma-buf took it.
        drop(unsafe { Arc::from_raw(private) });
    })?;
    // SAFETY: Nobody else knows the buffer yet. Its release frees the name, if there is one.
    unsafe {
        (*buffer).name = bindings::kstrdup(wanted.name.as_char_ptr(), bindings::GFP_KERNEL);
    }
    // SAFETY: A new dma-buf, whose only reference is that of its file.
    let (buffer, file) = unsafe {
        let file = NonNull::new_unchecked((*buffer).file);
        (
            NonNull::new_unchecked(buffer),
            ARef::<File>::from_raw(file.cast()),
        )
    };
    *this.handle().buffer.lock() = Some(Pointer(buffer));
    Ok(Exported(file))
}

struct Operations<T>(PhantomData<T>);

/// Places where the operations are static.
impl<T: Exporter> Operations<T> {
    const ALL: &'static bindings::dma_buf_ops = &bindings::dma_buf_ops {
        vmap: Some(Self::vmap),
        vunmap: Some(Self::vunmap),
        ..*Self::WITHOUT_KERNEL
    };

    const WITHOUT_KERNEL: &'static bindings::dma_buf_ops = &bindings::dma_buf_ops {
        attach: Some(Self::attach),
        map_dma_buf: Some(Self::map),
        unmap_dma_buf: Some(Self::unmap),
        release: Some(Self::release),
        begin_cpu_access: Some(Self::begin_cpu_access),
        end_cpu_access: Some(Self::end_cpu_access),
        mmap: Some(Self::mmap),
        ..pin_init::zeroed()
    };

    const VMA: &'static bindings::vm_operations_struct = &bindings::vm_operations_struct {
        fault: Some(Self::fault),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `buffer` has these operations and is not released.
    unsafe fn borrow<'a>(buffer: *mut bindings::dma_buf) -> &'a T {
        // SAFETY: The private pointer is the `Arc` of `export`, until the release.
        unsafe { &*(*buffer).priv_.cast() }
    }

    /// # Safety
    ///
    /// `attachment` is one of a dma-buf with these operations.
    unsafe fn attached<'a>(attachment: *mut bindings::dma_buf_attachment) -> (&'a T, &'a Attached) {
        // SAFETY: An attachment is of a dma-buf that its importer keeps; `Attached` is transparent.
        unsafe { (Self::borrow((*attachment).dmabuf), &*attachment.cast()) }
    }

    unsafe extern "C" fn attach(
        _buffer: *mut bindings::dma_buf,
        attachment: *mut bindings::dma_buf_attachment,
    ) -> c_int {
        // SAFETY: The arguments of this call.
        let (this, attached) = unsafe { Self::attached(attachment) };
        from_result(|| this.attach(attached).map(|()| 0))
    }

    unsafe extern "C" fn map(
        attachment: *mut bindings::dma_buf_attachment,
        direction: bindings::dma_data_direction,
    ) -> *mut bindings::sg_table {
        // SAFETY: The arguments of this call.
        let (this, attached) = unsafe { Self::attached(attachment) };
        match this.map(attached, Direction(direction)) {
            Ok(table) => table.as_ptr(),
            Err(error) => error.to_ptr(),
        }
    }

    unsafe extern "C" fn unmap(
        attachment: *mut bindings::dma_buf_attachment,
        table: *mut bindings::sg_table,
        _direction: bindings::dma_data_direction,
    ) {
        // SAFETY: The arguments of this call.
        let (this, _) = unsafe { Self::attached(attachment) };
        this.unmap(TableKey::new(table));
    }

    unsafe extern "C" fn vmap(
        buffer: *mut bindings::dma_buf,
        map: *mut bindings::iosys_map,
    ) -> c_int {
        // SAFETY: The argument of this call.
        let this = unsafe { Self::borrow(buffer) };
        from_result(|| {
            let address = this.kernel_map()?;
            // SAFETY: The caller's, for the answer. As iosys_map_set_vaddr(), a static inline.
            unsafe {
                (*map).__bindgen_anon_1.vaddr = address.as_ptr();
                (*map).is_iomem = false;
            }
            Ok(0)
        })
    }

    unsafe extern "C" fn vunmap(buffer: *mut bindings::dma_buf, _map: *mut bindings::iosys_map) {
        // SAFETY: The argument of this call. There is one mapping at a time.
        unsafe { Self::borrow(buffer) }.kernel_unmap();
    }

    unsafe extern "C" fn begin_cpu_access(
        buffer: *mut bindings::dma_buf,
        direction: bindings::dma_data_direction,
    ) -> c_int {
        // SAFETY: The argument of this call.
        let this = unsafe { Self::borrow(buffer) };
        from_result(|| this.begin_cpu_access(Direction(direction)).map(|()| 0))
    }

    unsafe extern "C" fn end_cpu_access(
        buffer: *mut bindings::dma_buf,
        direction: bindings::dma_data_direction,
    ) -> c_int {
        // SAFETY: The argument of this call.
        unsafe { Self::borrow(buffer) }.end_cpu_access(Direction(direction));
        0
    }

    /// The dma-buf core has checked the size; a private mapping would need pages that can be copied.
    unsafe extern "C" fn mmap(
        buffer: *mut bindings::dma_buf,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        // SAFETY: The argument of this call.
        let this = unsafe { Self::borrow(buffer) };
        from_result(|| {
            // SAFETY: The VMA is being made by this call.
            let flags = unsafe { (*vma).__bindgen_anon_2.vm_flags };
            // Without VM_SHARED: a shared one of a descriptor that cannot be written.
            if flags & bindings::VM_MAYSHARE as c_ulong == 0 {
                return Err(EINVAL);
            }
            this.may_map()?;
            // SAFETY: As above; the VMA's file is the dma-buf's, which keeps `this` longer.
            unsafe {
                (*vma).vm_ops = Self::VMA;
                (*vma).vm_private_data = core::ptr::from_ref(this).cast_mut().cast();
                bindings::pinlease_vma_set_pfnmap(vma);
            }
            Ok(0)
        })
    }

    unsafe extern "C" fn fault(fault: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: The arguments of this call; `mmap` set the private pointer.
        let (vma, address, index, this) = unsafe {
            let vma = (*fault).__bindgen_anon_1.vma;
            let index = (*fault).__bindgen_anon_1.pgoff;
            let this: &T = &*(*vma).vm_private_data.cast();
            (vma, (*fault).__bindgen_anon_1.address, index, this)
        };
        // SAFETY: The VMA is shared and has VM_PFNMAP, the address is in it.
        let insert = |frame| unsafe { bindings::vmf_insert_pfn(vma, address, frame) };
        this.fault(index as u64, insert)
            .unwrap_or(bindings::vm_fault_reason_VM_FAULT_SIGBUS)
    }

    unsafe extern "C" fn release(buffer: *mut bindings::dma_buf) {
        // SAFETY: Release is called once; the pointer is that of `export`.
        let this = unsafe { Arc::<T>::from_raw((*buffer).priv_.cast()) };
        // Waits for who works with the buffer.
        *this.handle().buffer.lock() = None;
        T::release(this);
    }
}
