// SPDX-License-Identifier: GPL-2.0

//! Reserves that make progress without free memory: mempools of boxes, and a bio set.
//!
//! C headers: [`include/linux/mempool.h`](srctree/include/linux/mempool.h),
//! [`include/linux/bio.h`](srctree/include/linux/bio.h)

use crate::bindings;
use core::sync::atomic::{AtomicPtr, Ordering};
use core::{cell::UnsafeCell, marker::PhantomData};
use kernel::{
    alloc::{flags::*, Flags},
    error::to_result,
    prelude::*,
};

/// What a [`Mempool`] can hold.
pub(crate) trait Element: Sized + Send {
    /// A new one.
    fn new(flags: Flags) -> Result<KBox<Self>>;
}

/// A mempool whose elements are boxes. Lives in a static.
pub(crate) struct Mempool<T> {
    pool: AtomicPtr<bindings::mempool>,
    _element: PhantomData<T>,
}

// SAFETY: A mempool locks itself, and its elements are `Send`.
unsafe impl<T: Send> Sync for Mempool<T> {}

impl<T: Element> Mempool<T> {
    pub(crate) const fn new() -> Self {
        Self {
            pool: AtomicPtr::new(core::ptr::null_mut()),
            _element: PhantomData,
        }
    }

    /// Fills it with `reserve` elements. Once, before all else.
    pub(crate) fn init(&self, reserve: usize) -> Result {
        // SAFETY: The callbacks fit each other, and stay until `destroy`.
        let pool = unsafe {
            bindings::mempool_create_node_noprof(
                reserve as c_int,
                Some(Self::allocate),
                Some(Self::release),
                core::ptr::null_mut(),
                bindings::GFP_KERNEL,
                bindings::NUMA_NO_NODE,
            )
        };
        if pool.is_null() {
            return Err(ENOMEM);
        }
        self.pool.store(pool, Ordering::Release);
        Ok(())
    }

    /// An element; waits until one comes back when memory and reserve are used up. May sleep.
    pub(crate) fn take(&self) -> KBox<T> {
        // SAFETY: `init` succeeded, or the module would not be loaded.
        let element = unsafe {
            bindings::pinlease_mempool_alloc(
                self.pool.load(Ordering::Acquire),
                bindings::CONST_GFP_NOIO,
            )
        };
        // SAFETY: With a flag that allows to sleep a mempool never fails, and its elements come
        // from `allocate`.
        unsafe { KBox::from_raw(element.cast()) }
    }

    /// Takes an element back. Any context.
    pub(crate) fn give_back(&self, element: KBox<T>) {
        // SAFETY: The element is a box, as `release` expects.
        unsafe {
            bindings::mempool_free(
                KBox::into_raw(element).cast(),
                self.pool.load(Ordering::Acquire),
            )
        };
    }

    /// Frees the reserve. All elements are back.
    pub(crate) fn destroy(&self) {
        let pool = self.pool.swap(core::ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: Null is allowed; nobody uses the pool any more.
        unsafe { bindings::mempool_destroy(pool) };
    }

    unsafe extern "C" fn allocate(gfp: bindings::gfp_t, _data: *mut c_void) -> *mut c_void {
        // Filling the reserve may sleep; later, the reserve is better than reclaim.
        let flags = if gfp & bindings::GFP_KERNEL == bindings::GFP_KERNEL {
            GFP_KERNEL
        } else {
            GFP_NOWAIT | __GFP_NOWARN
        };
        match T::new(flags) {
            Ok(element) => KBox::into_raw(element).cast(),
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe extern "C" fn release(element: *mut c_void, _data: *mut c_void) {
        // SAFETY: The pool's elements come from `allocate`.
        drop(unsafe { KBox::<T>::from_raw(element.cast()) });
    }
}

/// A bio set for splitting. Lives in a static.
pub(crate) struct BioSet(UnsafeCell<bindings::bio_set>);

// SAFETY: A bio set locks itself.
unsafe impl Sync for BioSet {}

impl BioSet {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(pin_init::zeroed()))
    }

    /// Once, before all else.
    pub(crate) fn init(&'static self, reserve: u32) -> Result {
        // SAFETY: It is zero, and nobody uses it yet.
        to_result(unsafe { bindings::bioset_init(self.0.get(), reserve, 0, 0) })
    }

    /// All its bios have ended.
    pub(crate) fn exit(&'static self) {
        // SAFETY: `init` was called (or it is zero, which is allowed).
        unsafe { bindings::bioset_exit(self.0.get()) };
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::bio_set {
        self.0.get()
    }
}
