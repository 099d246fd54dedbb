// SPDX-License-Identifier: GPL-2.0

//! Arguments of ioctls.

use kernel::{
    prelude::*,
    transmute::{AsBytes, FromBytes},
    uaccess::{UserPtr, UserSlice},
};

/// What an ioctl's argument may be.
pub(crate) trait Argument: FromBytes + AsBytes {}

/// Implements [`Argument`] for structures of the bindings that have integers only, and no padding.
macro_rules! arguments {
    ($($name:ident),* $(,)?) => {$(
        // SAFETY: Every bit pattern is valid: the structure has integers only.
        unsafe impl kernel::transmute::FromBytes for $crate::bindings::$name {}
        // SAFETY: There is no padding between the integers.
        unsafe impl kernel::transmute::AsBytes for $crate::bindings::$name {}
        impl $crate::common::argument::Argument for $crate::bindings::$name {}
    )*};
}
pub(crate) use arguments;

/// Errors: `EFAULT`.
pub(crate) fn read<T: Argument>(argument: usize) -> Result<T> {
    UserSlice::new(UserPtr::from_addr(argument), size_of::<T>())
        .reader()
        .read()
}

/// Errors: `EFAULT`.
pub(crate) fn write<T: Argument>(argument: usize, value: &T) -> Result {
    UserSlice::new(UserPtr::from_addr(argument), size_of::<T>())
        .writer()
        .write(value)
}
