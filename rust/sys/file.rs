// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's `File` does not offer.

use super::{inode::Inode, mapping::Mapping, super_block::SuperBlock};
use crate::bindings;
use kernel::{
    error::to_result,
    fs::{File, LocalFile},
    prelude::*,
    sync::aref::ARef,
};

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

    /// Whether the current task may lease it. Errors: `EACCES`.
    fn may_lease(&self) -> Result {
        // SAFETY: The file is valid.
        to_result(unsafe { bindings::pinlease_may_lease(self.raw()) })
    }

    /// What a failed page fault of this file means: `ENOSPC` when its filesystem is full, else
    /// `EIO`; a fault only says that it failed. May sleep.
    fn fault_error(&self) -> Error {
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

/// The open file of a descriptor of the current process. Errors: `EBADF`.
pub(crate) fn of_descriptor(fd: i32) -> Result<ARef<File>> {
    let fd = u32::try_from(fd).map_err(|_| EBADF)?;
    let file = LocalFile::fget(fd)?;
    // SAFETY: The thread is in an ioctl, which takes its file by fdget() and not by fdget_pos(), and
    // in no other system call.
    Ok(unsafe { LocalFile::assume_no_fdget_pos(file) })
}
