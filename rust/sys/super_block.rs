// SPDX-License-Identifier: GPL-2.0

//! Superblocks: what filesystem it is, and freezing.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::module::ModuleRef;
use crate::bindings;
use kernel::{prelude::*, types::Opaque};

/// A `struct super_block`, kept by an open file or by whoever lent the reference.
#[repr(transparent)]
pub(crate) struct SuperBlock(Opaque<bindings::super_block>);

impl SuperBlock {
    pub(crate) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// That of a dentry, which is an argument of a hooked function.
    pub(crate) fn of_dentry<'a>(dentry: *mut bindings::dentry) -> &'a Self {
        // SAFETY: The caller of the hooked function keeps the dentry, whose superblock outlives it.
        unsafe { &*(*dentry).d_sb.cast() }
    }

    fn filesystem_type(&self) -> &bindings::file_system_type {
        // SAFETY: A superblock's type is set once, and registered as long as it is mounted.
        unsafe { &*(*self.as_ptr()).s_type }
    }

    /// "ext4", "xfs", ...
    pub(crate) fn filesystem_name(&self) -> &CStr {
        // SAFETY: A registered filesystem has a name.
        unsafe { CStr::from_char_ptr(self.filesystem_type().name) }
    }

    /// Whether it is of this type.
    pub(crate) fn is(&self, filesystem: &[u8]) -> bool {
        self.filesystem_name().to_bytes() == filesystem
    }

    /// Keeps the filesystem's code loaded.
    pub(crate) fn filesystem_module(&self) -> Result<ModuleRef> {
        // SAFETY: The owner of a mounted filesystem's type is loaded.
        unsafe { ModuleRef::get(self.filesystem_type().owner) }
    }

    /// Whether a page fault may have to wait for a thaw; exact only with `s_umount` held. (A freeze
    /// that still waits for writers lets page faults pass.)
    pub(crate) fn refuses_page_faults(&self) -> bool {
        // SAFETY: The superblock is valid; the field is read once.
        let level =
            unsafe { core::ptr::addr_of!((*self.as_ptr()).s_writers.frozen).read_volatile() };
        u32::from(level) >= bindings::SB_FREEZE_PAGEFAULT
    }

    /// Keeps a freeze from beginning; `None` when it is frozen or on the way. Never waits.
    pub(crate) fn try_start_write(&self) -> Option<WriteGuard<'_>> {
        // SAFETY: The superblock is valid.
        let started = unsafe { bindings::pinlease_sb_start_write_trylock(self.as_ptr()) };
        // Not `then_some`: a guard that is made gives back what was taken.
        started.then(|| WriteGuard(self))
    }

    /// Gives back the freeze protection that the current task has.
    pub(super) fn end_write(&self) {
        // SAFETY: The superblock is valid; the caller of the hooked function took it.
        unsafe { bindings::pinlease_sb_end_write(self.as_ptr()) };
    }

    /// Undoes [`end_write`](Self::end_write). May sleep until a thaw.
    pub(super) fn start_write(&self) {
        // SAFETY: The superblock is valid; may sleep.
        unsafe { bindings::pinlease_sb_start_write(self.as_ptr()) };
    }

    /// Makes the next syncfs of every open file report `error` (errseq).
    pub(crate) fn set_error(&self, error: Error) {
        // SAFETY: The superblock is valid; the sequence is changed atomically.
        unsafe {
            let sequence = core::ptr::addr_of_mut!((*self.as_ptr()).s_wb_err);
            bindings::errseq_set(sequence, error.to_errno());
        }
    }

    /// Flushes the write cache of its disk. May sleep. Errors: the disk's.
    pub(crate) fn flush_disk(&self) -> Result {
        // SAFETY: The superblock is valid; its disk is open as long as it is mounted.
        let disk = unsafe { (*self.as_ptr()).s_bdev };
        // SAFETY: As above; the filesystem is one on a disk, so that there is one.
        kernel::error::to_result(unsafe { bindings::blkdev_issue_flush(disk) })
    }

    /// Whether its device has zones.
    pub(crate) fn is_zoned(&self) -> bool {
        // SAFETY: The superblock is valid.
        unsafe { bindings::pinlease_sb_is_zoned(self.as_ptr()) }
    }

    /// Its device, as the kernel has it (`dev_t`).
    pub(crate) fn kernel_device_number(&self) -> u32 {
        // SAFETY: The superblock is valid; its device does not change.
        unsafe { (*self.as_ptr()).s_dev }
    }

    /// Major and minor number of its device.
    pub(crate) fn device(&self) -> (u32, u32) {
        const MINOR_BITS: u32 = 20;
        let device = self.kernel_device_number();
        (device >> MINOR_BITS, device & ((1 << MINOR_BITS) - 1))
    }

    /// Its device, as makedev(3) has it (`new_encode_dev()`).
    pub(crate) fn device_number(&self) -> u64 {
        let (major, minor) = self.device();
        u64::from((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
    }

    /// Bytes in a block.
    pub(crate) fn block_size(&self) -> u64 {
        // SAFETY: The superblock is valid; its block size is set when it is mounted.
        unsafe { (*self.as_ptr()).s_blocksize as u64 }
    }

    /// Whether `/proc/mounts` shows `option` for it.
    pub(crate) fn shows_option(&self, option: &[u8]) -> Result<bool> {
        let mut buffer = KVec::<u8>::from_elem(0, 4096, GFP_KERNEL)?;
        let mut seq = bindings::seq_file {
            buf: buffer.as_mut_ptr().cast(),
            size: buffer.len(),
            ..pin_init::zeroed()
        };
        // SAFETY: The superblock is valid, and its operations and root live as long.
        let (operations, root) = unsafe { ((*self.as_ptr()).s_op, (*self.as_ptr()).s_root) };
        // SAFETY: As above.
        if let Some(show_options) = unsafe { (*operations).show_options } {
            // SAFETY: show_options only adds to the seq_file's buffer.
            match unsafe { show_options(&mut seq, root) } {
                0 => (),
                error => return Err(Error::from_errno(error)),
            }
        }
        let shown = &buffer[..seq.count.min(buffer.len())];
        Ok(shown
            .split(|&c| c == b',')
            .any(|shown| shown.starts_with(option)))
    }
}

/// As between `sb_start_write()` and `sb_end_write()`.
pub(crate) struct WriteGuard<'a>(&'a SuperBlock);

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: The guard exists only after `sb_start_write_trylock` succeeded in this task.
        unsafe { bindings::pinlease_sb_end_write(self.0.as_ptr()) };
    }
}
