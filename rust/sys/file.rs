// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's `File` does not offer.

use super::{inode::Inode, mapping::Mapping, super_block::SuperBlock};
use crate::bindings;
use kernel::{
    error::{from_err_ptr, to_result},
    fs::{File, LocalFile},
    prelude::*,
    sync::aref::ARef,
};

/// Bytes of the longest path with its final 0.
const PATH_MAX: usize = 4096;

/// More about open files.
pub(crate) trait FileExt {
    fn raw(&self) -> *mut bindings::file;

    fn inode(&self) -> &Inode {
        // SAFETY: An open file has an inode.
        unsafe { &*(*self.raw()).f_inode.cast() }
    }

    fn mapping(&self) -> &Mapping {
        // SAFETY: An open file has a mapping.
        unsafe { &*(*self.raw()).f_mapping.cast() }
    }

    fn super_block(&self) -> &SuperBlock {
        self.inode().super_block()
    }

    fn operations(&self) -> &bindings::file_operations {
        // SAFETY: An open file's operations are static, its module is kept by the file.
        unsafe { &*(*self.raw()).f_op }
    }

    /// Whether it is open for reading and for writing.
    fn is_read_write(&self) -> bool {
        const BOTH: u32 = bindings::CONST_FMODE_READ | bindings::CONST_FMODE_WRITE;
        // SAFETY: The file is valid; these bits do not change after open.
        let mode = unsafe { (*self.raw()).f_mode };
        mode & BOTH == BOTH
    }

    /// Whether it is open for writing.
    fn is_writable(&self) -> bool {
        // SAFETY: The file is valid; this bit does not change after open.
        unsafe { (*self.raw()).f_mode & bindings::CONST_FMODE_WRITE != 0 }
    }

    /// Whether it has `O_NONBLOCK`.
    fn is_nonblocking(&self) -> bool {
        // SAFETY: The file is valid; a word that is read whole.
        let flags = unsafe { core::ptr::addr_of!((*self.raw()).f_flags).read_volatile() };
        flags & bindings::O_NONBLOCK != 0
    }

    /// Whether the current task may lease it. Errors: `EACCES`.
    fn may_lease(&self) -> Result {
        // SAFETY: The file is valid.
        to_result(unsafe { bindings::pinlease_may_lease(self.raw()) })
    }

    /// What a failed page fault of this file means, which only says that it failed: `EDQUOT` when a
    /// quota leaves less than `bytes`, `ENOSPC` when the filesystem is full, else `EIO`. May sleep.
    fn fault_error(&self, bytes: u64) -> Error {
        if self.exceeds_quota(bytes) {
            return EDQUOT;
        }
        let mut statistics = bindings::kstatfs::default();
        // SAFETY: The path of an open file is valid.
        let error = unsafe {
            let path = core::ptr::addr_of!((*self.raw()).__bindgen_anon_1.f_path);
            bindings::vfs_statfs(path, &mut statistics)
        };
        if error == 0 && statistics.f_bavail == 0 {
            ENOSPC
        } else {
            EIO
        }
    }

    /// Whether a quota of its user, group or project leaves less than `bytes`. Of those of btrfs
    /// (qgroups) nothing is known. May sleep.
    fn exceeds_quota(&self, bytes: u64) -> bool {
        let project = self
            .attributes()
            .map_or(-1, |attributes| i64::from(attributes.fsx_projid));
        // SAFETY: The inode of an open file is valid.
        unsafe { bindings::pinlease_quota_exceeded(self.inode().as_ptr(), project, bytes) }
    }

    /// Its path as the current task sees it, with the final 0. May sleep.
    ///
    /// Errors: `ENOMEM`, `ENAMETOOLONG`.
    fn path(&self) -> Result<KVec<u8>> {
        let mut room = KVec::from_elem(0u8, PATH_MAX, GFP_KERNEL)?;
        // SAFETY: The path of an open file is valid, and so is the room.
        let begin = from_err_ptr(unsafe {
            let path = core::ptr::addr_of!((*self.raw()).__bindgen_anon_1.f_path);
            bindings::d_path(path, room.as_mut_ptr().cast(), PATH_MAX as c_int)
        })?;
        // The path ends at the end of the room, unless it is short of that.
        let skip = begin as usize - room.as_ptr() as usize;
        let length = room[skip..]
            .iter()
            .position(|&byte| byte == 0)
            .map_or(PATH_MAX - skip, |last| last + 1);
        let mut path = KVec::with_capacity(length, GFP_KERNEL)?;
        path.extend_from_slice(&room[skip..skip + length], GFP_KERNEL)?;
        Ok(path)
    }

    /// What `FS_IOC_GETFLAGS` and `FS_IOC_FSGETXATTR` tell. May sleep. Errors: the filesystem's.
    fn attributes(&self) -> Result<bindings::file_kattr> {
        let mut attributes = bindings::file_kattr::default();
        // SAFETY: An open file has a dentry.
        let dentry = unsafe { (*self.raw()).__bindgen_anon_1.f_path.dentry };
        // SAFETY: Both are valid.
        to_result(unsafe { bindings::vfs_fileattr_get(dentry, &mut attributes) })?;
        Ok(attributes)
    }
}

impl FileExt for LocalFile {
    fn raw(&self) -> *mut bindings::file {
        self.as_ptr()
    }
}

impl FileExt for File {
    fn raw(&self) -> *mut bindings::file {
        self.as_ptr()
    }
}

/// The argument of a hooked `->fileattr_set`.
pub(crate) fn attributes_of(raw: *mut kernel::bindings::file_kattr) -> bindings::file_kattr {
    // SAFETY: The caller of the hooked function keeps it.
    unsafe { raw.cast::<bindings::file_kattr>().read() }
}

/// Whether an open file has `O_NONBLOCK`; null has not. The argument is that of a hooked function.
pub(crate) fn is_nonblocking(file: *mut bindings::file) -> bool {
    // SAFETY: The caller of the hooked function keeps the file open, if there is one.
    !file.is_null() && unsafe { LocalFile::from_raw_file(file) }.is_nonblocking()
}

/// The open file of a descriptor of the current process. Errors: `EBADF`.
pub(crate) fn of_descriptor(fd: i32) -> Result<ARef<File>> {
    let fd = u32::try_from(fd).map_err(|_| EBADF)?;
    let file = LocalFile::fget(fd)?;
    // SAFETY: The thread is in an ioctl, which takes its file by fdget() and not by fdget_pos(), and
    // in no other system call.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}
