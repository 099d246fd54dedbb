// SPDX-License-Identifier: GPL-2.0

//! File descriptors of our own, without an inode of theirs.
//!
//! C header: [`include/linux/anon_inodes.h`](srctree/include/linux/anon_inodes.h)

use crate::{bindings, event_queue::EventQueue};
use core::marker::PhantomData;
use kernel::{
    error::from_err_ptr,
    fs::{file::FileDescriptorReservation, File},
    module::this_module,
    prelude::*,
    seq_file::SeqFile,
    sync::{aref::ARef, Arc},
    uaccess::{UserPtr, UserSlice},
};

/// What an anonymous file does.
pub(crate) trait AnonFile: Send + Sync + Sized + 'static {
    /// As `/proc/PID/fd` shows it: `anon_inode:NAME`.
    const NAME: &'static CStr;

    /// What is read from it, and polled.
    fn events(this: &Arc<Self>) -> &EventQueue;

    fn ioctl(_this: &Arc<Self>, _command: u32, _argument: usize) -> Result<isize> {
        Err(ENOTTY)
    }

    /// Adds lines to `/proc/PID/fdinfo/FD`.
    fn show_fdinfo(_this: &Arc<Self>, _lines: &SeqFile) {}

    /// The last descriptor was closed; may run in a kernel thread. May sleep.
    fn release(this: Arc<Self>);
}

struct Operations<T>(PhantomData<T>);

impl<T: AnonFile> Operations<T> {
    const TABLE: bindings::file_operations = bindings::file_operations {
        owner: this_module::<crate::LocalModule>().as_ptr(),
        unlocked_ioctl: Some(Self::ioctl),
        compat_ioctl: Some(Self::ioctl),
        read: Some(Self::read),
        poll: Some(Self::poll),
        fasync: Some(Self::fasync),
        release: Some(Self::release),
        show_fdinfo: Some(Self::show_fdinfo),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `file` has these operations.
    unsafe fn borrow<'a>(file: *mut bindings::file) -> &'a Arc<T> {
        // SAFETY: `private_data` is the `KBox<Arc<T>>` that `install` made, until release.
        unsafe { &*(*file).private_data.cast() }
    }

    unsafe extern "C" fn ioctl(
        file: *mut bindings::file,
        command: c_uint,
        argument: c_ulong,
    ) -> c_long {
        // SAFETY: The file has these operations.
        match T::ioctl(unsafe { Self::borrow(file) }, command, argument) {
            Ok(value) => value as c_long,
            Err(error) => error.to_errno() as c_long,
        }
    }

    unsafe extern "C" fn read(
        file: *mut bindings::file,
        buffer: *mut c_char,
        length: usize,
        _position: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: The file is valid.
        let nonblocking = unsafe { (*file).f_flags } & bindings::O_NONBLOCK != 0;
        // SAFETY: The file has these operations.
        let events = T::events(unsafe { Self::borrow(file) });
        let writer = UserSlice::new(UserPtr::from_ptr(buffer.cast()), length).writer();
        match events.read(writer, nonblocking) {
            Ok(bytes) => bytes as isize,
            Err(error) => error.to_errno() as isize,
        }
    }

    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: The file has these operations.
        let events = T::events(unsafe { Self::borrow(file) });
        // SAFETY: These are the arguments of this call; the queue belongs to the file.
        unsafe { events.readers.register_poll(file, table) };
        if events.is_empty() {
            0
        } else {
            bindings::CONST_POLL_EVENTS
        }
    }

    unsafe extern "C" fn fasync(descriptor: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: The file has these operations.
        let events = T::events(unsafe { Self::borrow(file) });
        // SAFETY: These are the arguments of this call; `release` takes the file out.
        match unsafe { events.signals.change(descriptor, file, on) } {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        }
    }

    unsafe extern "C" fn show_fdinfo(lines: *mut bindings::seq_file, file: *mut bindings::file) {
        // SAFETY: The seq_file is valid and ours during this call.
        let lines = unsafe { SeqFile::from_raw(lines) };
        // SAFETY: The file has these operations.
        T::show_fdinfo(unsafe { Self::borrow(file) }, lines);
    }

    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: Release is called once; the box is that of `install`.
        let this = unsafe { KBox::<Arc<T>>::from_raw((*file).private_data.cast()) };
        T::release((*this).clone());
        0
    }
}

/// A place where the operations table is static.
trait Table {
    const STATIC: &'static bindings::file_operations;
}

impl<T: AnonFile> Table for Operations<T> {
    const STATIC: &'static bindings::file_operations = &Self::TABLE;
}

/// Installs a descriptor for `this`. Errors: `EMFILE`, `ENFILE`, `ENOMEM`; then nothing is
/// released.
pub(crate) fn install<T: AnonFile>(this: Arc<T>, close_on_exec: bool) -> Result<u32> {
    let flags = if close_on_exec {
        bindings::O_CLOEXEC
    } else {
        0
    };
    let descriptor = FileDescriptorReservation::get_unused_fd_flags(flags)?;
    let this = KBox::new(this, GFP_KERNEL)?;
    let private = KBox::into_raw(this);
    // SAFETY: The table is static, the name a string.
    let file = from_err_ptr(unsafe {
        bindings::anon_inode_getfile(
            T::NAME.as_char_ptr(),
            Operations::<T>::STATIC,
            private.cast(),
            bindings::O_RDWR as c_int,
        )
    })
    .inspect_err(|_| {
        // SAFETY: No file took it.
        drop(unsafe { KBox::from_raw(private) });
    })?;
    let number = descriptor.reserved_fd();
    // SAFETY: The reference that anon_inode_getfile() returned; the file is new, nobody holds its
    // position lock.
    let file = unsafe { ARef::<File>::from_raw(core::ptr::NonNull::new_unchecked(file.cast())) };
    descriptor.fd_install(file);
    Ok(number)
}

/// What an open file of ours stands for; `None` when it is of another kind.
pub(crate) fn of_file<T: AnonFile>(file: &File) -> Option<Arc<T>> {
    let raw = file.as_ptr();
    // SAFETY: The file is open.
    let operations = unsafe { (*raw).f_op };
    // A table of ours is told by its release function: constants may have several addresses.
    // SAFETY: The operations of an open file are static.
    let ours = unsafe { (*operations).release }
        .is_some_and(|release| release as usize == Operations::<T>::release as usize);
    // SAFETY: Just checked.
    ours.then(|| unsafe { Operations::<T>::borrow(raw) }.clone())
}
