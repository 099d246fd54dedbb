// SPDX-License-Identifier: GPL-2.0
//! Commands as a newer or a broken program would make them.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use pinlease::{issue, uapi, Argument};

/// A structure of a newer header: with fields that the module does not know.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Extended<T> {
    /// What the module knows.
    pub known: T,
    /// What it does not.
    pub tail: [u64; 2],
}

// SAFETY: the module takes at most as many bytes as it knows, which are in
// `known`; `tail` may hold anything.
unsafe impl<T: Argument> Argument for Extended<T> {
    // The number holds the structure's size: a newer header has another one.
    const NR: u32 = with_argument_size(T::NR, size_of::<Self>() as u32);
}

/// Command `number` with an argument of `size` bytes: bits 16 to 29.
pub const fn with_argument_size(number: u32, size: u32) -> u32 {
    (number & !(0x3fff << 16)) | (size << 16)
}

/// A structure that begins with its size.
pub trait Sized32: Argument + Copy {
    /// Where the size is.
    fn size_mut(&mut self) -> &mut u32;
}

/// Implements [`Sized32`].
macro_rules! sized {
    ($($argument:ident),*) => {$(
        impl Sized32 for uapi::$argument {
            fn size_mut(&mut self) -> &mut u32 {
                &mut self.size
            }
        }
    )*};
}

sized!(
    pinlease_acquire,
    pinlease_pin,
    pinlease_unpin,
    pinlease_mark,
    pinlease_query,
    pinlease_export
);

/// `argument` with its right size.
pub fn with_size<T: Sized32>(mut argument: T) -> T {
    *argument.size_mut() = size_of::<T>() as u32;
    argument
}

/// Issues the command with the size of the structure set to `size`.
///
/// # Errors
///
/// The command's errno.
pub fn issue_sized<T: Sized32>(fd: impl AsFd, mut argument: T, size: usize) -> nix::Result<i32> {
    *argument.size_mut() = size as u32;
    // Room for a module that would believe a size that is too large.
    let mut extended = Extended {
        known: argument,
        tail: [0; 2],
    };
    issue(fd.as_fd(), &mut extended)
}

/// Issues the command as a newer program would, whose new field is `value`.
///
/// # Errors
///
/// The command's errno.
pub fn issue_newer<T: Sized32>(fd: impl AsFd, mut argument: T, value: u64) -> nix::Result<i32> {
    *argument.size_mut() = size_of::<Extended<T>>() as u32;
    let mut extended = Extended {
        known: argument,
        tail: [0, value],
    };
    issue(fd.as_fd(), &mut extended)
}

/// Issues command `number` with an argument that is not mapped.
///
/// # Errors
///
/// The command's errno.
pub fn issue_unmapped(fd: impl AsFd, number: u32) -> nix::Result<i32> {
    // SAFETY: the zero page is never mapped, so that nothing can be written.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::Ioctl::from(number), 8) };
    Errno::result(result)
}
