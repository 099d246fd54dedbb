// SPDX-License-Identifier: GPL-2.0

//! How the types of a hook's signature cross the border to C.

/// A type of a hook's argument.
pub(crate) trait HookArg: Sized {
    /// The C type.
    type Raw;

    /// # Safety
    ///
    /// `raw` is such an argument, given by a caller that keeps it valid during the call.
    unsafe fn from_raw(raw: Self::Raw) -> Self;

    /// The value as the calling convention passes it in a register.
    fn into_register(self) -> usize;
}

/// A type that a hook returns.
pub(crate) trait HookReturn: Sized {
    /// The C type.
    type Raw;

    /// From the register in which the original returned it.
    fn from_register(register: usize) -> Self;

    /// For our caller.
    fn into_raw(self) -> Self::Raw;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl HookArg for $integer {
            type Raw = Self;

            unsafe fn from_raw(raw: Self) -> Self {
                raw
            }

            fn into_register(self) -> usize {
                self as usize
            }
        }

        impl HookReturn for $integer {
            type Raw = Self;

            fn from_register(register: usize) -> Self {
                register as Self
            }

            fn into_raw(self) -> Self {
                self
            }
        }
    )*};
}

integers!(i32, u32, i64, u64, isize);

impl HookArg for bool {
    type Raw = Self;

    unsafe fn from_raw(raw: Self) -> Self {
        raw
    }

    fn into_register(self) -> usize {
        usize::from(self)
    }
}

impl<T> HookArg for *mut T {
    type Raw = Self;

    unsafe fn from_raw(raw: Self) -> Self {
        raw
    }

    fn into_register(self) -> usize {
        self as usize
    }
}

impl<T> HookArg for *const T {
    type Raw = Self;

    unsafe fn from_raw(raw: Self) -> Self {
        raw
    }

    fn into_register(self) -> usize {
        self as usize
    }
}

impl HookReturn for bool {
    type Raw = Self;

    fn from_register(register: usize) -> Self {
        // Only %al is defined.
        register as u8 != 0
    }

    fn into_raw(self) -> Self {
        self
    }
}

impl<T> HookReturn for *mut T {
    type Raw = Self;

    fn from_register(register: usize) -> Self {
        register as Self
    }

    fn into_raw(self) -> Self {
        self
    }
}

impl HookReturn for () {
    type Raw = Self;

    fn from_register(_register: usize) -> Self {}

    fn into_raw(self) -> Self {}
}

/// Implements [`HookArg`] for references to wrappers of C structures: all are
/// `#[repr(transparent)]` over `Opaque`, so that a shared reference asks for no more than
/// validity.
macro_rules! references {
    ($($wrapper:ty => $raw:ident),* $(,)?) => {$(
        impl HookArg for &$wrapper {
            type Raw = *mut crate::bindings::$raw;

            unsafe fn from_raw(raw: Self::Raw) -> Self {
                // SAFETY: The caller's argument is valid during the call, and the wrapper has
                // the layout of the C structure.
                unsafe { &*raw.cast() }
            }

            fn into_register(self) -> usize {
                core::ptr::from_ref(self) as usize
            }
        }
    )*};
}

references! {
    crate::sys::folio::Folio => folio,
    crate::sys::bio::Bio => bio,
    crate::sys::kiocb::Kiocb => kiocb,
    crate::sys::super_block::SuperBlock => super_block,
    crate::sys::btrfs_inode::BtrfsInode => btrfs_inode,
    crate::sys::xfs_inode::XfsInode => xfs_inode,
    crate::sys::vma::Vma => vm_area_struct,
    kernel::fs::LocalFile => file,
}
