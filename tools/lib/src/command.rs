// SPDX-License-Identifier: GPL-2.0
//! The one place where ioctl(2) is called.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use pinlease_uapi as uapi;

/// A structure that a command takes.
///
/// # Safety
///
/// Command `NR` must read and write at most `size_of::<Self>()` bytes at its
/// argument, and every bit pattern that it writes must be a valid `Self`.
pub unsafe trait Argument: Sized {
    /// The command's number.
    const NR: u32;
}

/// Implements [`Argument`] for generated structures.
macro_rules! arguments {
    ($($argument:ident = $nr:ident,)*) => {$(
        // SAFETY: the number was computed by the C compiler from this very
        // structure, which consists of integers.
        unsafe impl Argument for uapi::$argument {
            const NR: u32 = uapi::$nr;
        }
    )*};
}

arguments! {
    pinlease_acquire = PINLEASE_IOC_ACQUIRE_NR,
    pinlease_pin = PINLEASE_IOC_PIN_NR,
    pinlease_unpin = PINLEASE_IOC_UNPIN_NR,
    pinlease_mark = PINLEASE_IOC_MARK_NR,
    pinlease_query = PINLEASE_IOC_QUERY_NR,
    pinlease_shrink = PINLEASE_IOC_SHRINK_NR,
    pinlease_watch = PINLEASE_IOC_WATCH_NR,
    pinlease_export = PINLEASE_IOC_EXPORT_NR,
    pinlease_quiesce = PINLEASE_IOC_QUIESCE_NR,
    dmasim_attach = DMASIM_IOC_ATTACH_NR,
    dmasim_pin_raw = DMASIM_IOC_PIN_RAW_NR,
    dmasim_write = DMASIM_IOC_WRITE_NR,
    dmasim_start = DMASIM_IOC_START_NR,
    dmasim_status = DMASIM_IOC_STATUS_NR,
    dmasim_import = DMASIM_IOC_IMPORT_NR,
    edu_attach = EDU_IOC_ATTACH_NR,
    edu_pin_raw = EDU_IOC_PIN_RAW_NR,
    edu_start = EDU_IOC_START_NR,
    edu_wait = EDU_IOC_WAIT_NR,
    edu_status = EDU_IOC_STATUS_NR,
    pinbench_pin = PINBENCH_IOC_PIN_NR,
    pinbench_unpin = PINBENCH_IOC_UNPIN_NR,
    pinbench_gup = PINBENCH_IOC_GUP_NR,
    pinbench_copy = PINBENCH_IOC_COPY_NR,
}

/// Issues the command that takes `argument` on `fd`; returns ioctl(2)'s result.
///
/// # Errors
///
/// The command's errno.
pub fn issue<A: Argument>(fd: BorrowedFd<'_>, argument: &mut A) -> nix::Result<i32> {
    // SAFETY: by the contract of `Argument`, the command stays inside of
    // `argument`, which is borrowed exclusively.
    let result = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::Ioctl::from(A::NR),
            std::ptr::from_mut(argument),
        )
    };
    Errno::result(result)
}

/// Issues a command that takes no argument on `fd`.
///
/// # Errors
///
/// The command's errno.
pub fn issue_bare(fd: BorrowedFd<'_>, number: u32) -> nix::Result<()> {
    // SAFETY: the argument is 0, where no command finds memory of ours.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::Ioctl::from(number), 0) };
    Errno::result(result).map(drop)
}

/// Issues `PINLEASE_IOC_NEXT`, which writes the path to `path`; `request.path`
/// and `request.path_size` are set here.
///
/// It is not an [`Argument`]: with one, safe code could name any address.
///
/// # Errors
///
/// The command's errno.
pub fn issue_next(
    fd: BorrowedFd<'_>,
    request: &mut uapi::pinlease_next,
    path: &mut [u8],
) -> nix::Result<()> {
    request.path = path.as_mut_ptr().expose_provenance() as u64;
    request.path_size = u32::try_from(path.len()).unwrap_or(u32::MAX);
    // SAFETY: the command writes at most `size_of::<pinlease_next>()` bytes to
    // `request`, integers all of them, and at most `path_size` to `path`; both
    // are borrowed exclusively.
    let result = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::Ioctl::from(uapi::PINLEASE_IOC_NEXT_NR),
            std::ptr::from_mut(request),
        )
    };
    Errno::result(result).map(drop)
}

/// `size_of::<T>()` as the structures carry it.
pub(crate) const fn size<T>() -> u32 {
    size_of::<T>() as u32
}
