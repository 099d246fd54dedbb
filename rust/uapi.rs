// SPDX-License-Identifier: GPL-2.0

//! The structures of `include/uapi/linux/pinlease.h` and how they are copied.
//!
//! They are extensible as those of clone3(2): the caller's size comes first, what he has more
//! than we know must be zero, what he has less reads as zero.

use crate::{
    bindings,
    policy::structure_size::{layout, SizeError},
};
use kernel::{
    error::to_result,
    prelude::*,
    transmute::{AsBytes, FromBytes},
    uaccess::{UserPtr, UserSlice},
};

/// A structure whose first member is its size.
pub(crate) trait Structure: FromBytes + AsBytes + Copy {
    /// Bytes in its first version.
    const FIRST_VERSION: usize;
}

/// Bytes of the largest structure.
const LARGEST: usize = 136;

/// Names of structures, and their bytes in the first version and now.
macro_rules! structures {
    (@now $first:literal) => { $first };
    (@now $first:literal $now:literal) => { $now };
    ($($name:ident: $first:literal $(=> $now:literal)?),* $(,)?) => {$(
        // SAFETY: Every bit pattern is valid: the structure has integers only.
        unsafe impl FromBytes for bindings::$name {}
        // SAFETY: The structure has no padding; the assertion below keeps its size.
        unsafe impl AsBytes for bindings::$name {}

        impl Structure for bindings::$name {
            const FIRST_VERSION: usize = $first;
        }

        const _: () = assert!(size_of::<bindings::$name>() == structures!(@now $first $($now)?));
        const _: () = assert!(size_of::<bindings::$name>() <= LARGEST);
    )*};
}

structures! {
    pinlease_acquire: 40,
    pinlease_pin: 40,
    pinlease_unpin: 16,
    pinlease_mark: 24,
    pinlease_query: 72 => 104,
    pinlease_shrink: 24,
    pinlease_next: 120 => 136,
    pinlease_watch: 8,
    pinlease_export: 32,
    pinlease_quiesce: 16,
}

/// Reads the caller's structure. May sleep.
///
/// Errors: `EFAULT`, `EINVAL` smaller than the first version, `E2BIG` larger than ours and the
/// rest is not zero.
pub(crate) fn read<T: Structure>(argument: usize) -> Result<T> {
    let pointer = UserPtr::from_addr(argument);
    let given = UserSlice::new(pointer, size_of::<u32>())
        .reader()
        .read::<u32>()? as usize;
    let layout = layout(given, T::FIRST_VERSION, size_of::<T>()).map_err(|error| match error {
        SizeError::TooSmall => EINVAL,
        SizeError::TooLarge => E2BIG,
    })?;
    let mut bytes = [0; LARGEST];
    UserSlice::new(pointer, layout.copied)
        .reader()
        .read_slice(&mut bytes[..layout.copied])?;
    let rest = pointer.wrapping_byte_add(layout.copied);
    if !is_zeroed(rest, layout.must_be_zero)? {
        return Err(E2BIG);
    }
    T::from_bytes_copy(&bytes[..size_of::<T>()]).ok_or(EINVAL)
}

/// Whether so many bytes of user space are all zero. May sleep. Errors: `EFAULT`.
fn is_zeroed(address: UserPtr, length: usize) -> Result<bool> {
    // SAFETY: Any address may be tried; what is not user memory is EFAULT.
    let zeroed = unsafe { bindings::check_zeroed_user(address.as_const_ptr(), length) };
    to_result(zeroed)?;
    Ok(zeroed != 0)
}

/// Writes as much of `value` as the caller has room for, `given` being the size that he said. May
/// sleep. Errors: `EFAULT`.
pub(crate) fn write<T: Structure>(argument: usize, given: u32, value: &T) -> Result {
    let length = (given as usize).min(size_of::<T>());
    UserSlice::new(UserPtr::from_addr(argument), length)
        .writer()
        .write_slice(&value.as_bytes()[..length])
}

// SAFETY: The structure has no padding; the assertion below keeps its size.
unsafe impl AsBytes for bindings::pinlease_event {}

const _: () = assert!(size_of::<bindings::pinlease_event>() == 96);

/// A name as C has it.
pub(crate) fn characters<const N: usize>(bytes: [u8; N]) -> [c_char; N] {
    bytes.map(|byte| byte as c_char)
}
