// SPDX-License-Identifier: GPL-2.0

//! Settings of the memory manager.

use crate::bindings;
use kernel::prelude::*;

/// `vm.dirty_writeback_centisecs`: how often the flusher looks; 0: never.
pub(crate) fn dirty_writeback_centisecs() -> u32 {
    // SAFETY: An exported variable, of a size that is read whole.
    unsafe { core::ptr::addr_of!(bindings::dirty_writeback_interval).read_volatile() }
}

/// `vm.dirty_expire_centisecs`: how old dirty data gets before it is written.
///
/// The variable is not exported, so the file is read: from a kernel thread, whose root is the
/// system's. The kernel's default where /proc is not mounted. May sleep.
pub(crate) fn dirty_expire_centisecs() -> u32 {
    const DEFAULT: u32 = 3000;
    read_number(c"/proc/sys/vm/dirty_expire_centisecs").unwrap_or(DEFAULT)
}

fn read_number(path: &CStr) -> Result<u32> {
    // SAFETY: The path is a string; the calling thread has a root.
    let file = unsafe { bindings::filp_open(path.as_char_ptr(), bindings::O_RDONLY as c_int, 0) };
    let file = kernel::error::from_err_ptr(file)?;
    let mut text = [0u8; 16];
    let mut position = 0;
    // SAFETY: The file is open, and the buffer has so many bytes.
    let read =
        unsafe { bindings::kernel_read(file, text.as_mut_ptr().cast(), text.len(), &mut position) };
    // SAFETY: It was opened above.
    unsafe { bindings::filp_close(file, core::ptr::null_mut()) };
    let read = usize::try_from(read).map_err(|_| EIO)?;
    let text = core::str::from_utf8(&text[..read]).map_err(|_| EINVAL)?;
    text.trim_end().parse().map_err(|_| EINVAL)
}
