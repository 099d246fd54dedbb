// SPDX-License-Identifier: GPL-2.0
//! Memory to pin.

use std::{io, num::NonZeroUsize, os::fd::AsFd, ptr::NonNull};

use nix::{
    errno::Errno,
    sys::mman::{mmap, MapFlags, ProtFlags},
};

/// Maps `length` bytes of `file` from `offset`, a multiple of the page size,
/// shared and writable, as a pin wants it.  Nothing unmaps it but munmap(2).
///
/// # Errors
///
/// mmap(2)'s; EINVAL for a length of 0 and an offset that `off_t` cannot hold.
pub fn map_shared(file: impl AsFd, offset: u64, length: usize) -> io::Result<NonNull<u8>> {
    let length = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
    let offset = offset.try_into().map_err(|_| Errno::EINVAL)?;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let address = unsafe {
        mmap(
            None,
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_SHARED,
            file,
            offset,
        )
    };
    Ok(address?.cast())
}
