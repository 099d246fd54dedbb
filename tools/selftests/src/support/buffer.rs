// SPDX-License-Identifier: GPL-2.0
//! dma-bufs as user space has them.

use std::{
    fs,
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr::NonNull,
};

use anyhow::{Context, Result};
use nix::{
    sys::mman::{mmap, munmap, MapFlags, ProtFlags},
    unistd::{lseek, Whence},
};

use super::page_size;

/// `struct dma_buf_sync` of linux/dma-buf.h.
#[derive(Debug)]
#[repr(C)]
pub struct DmaBufSync {
    flags: u64,
}

/// `struct udmabuf_create` of linux/udmabuf.h.
#[derive(Debug)]
#[repr(C)]
pub struct UdmabufCreate {
    memfd: u32,
    flags: u32,
    offset: u64,
    size: u64,
}

/// The commands.
mod command {
    use nix::ioctl_write_ptr;

    use super::{DmaBufSync, UdmabufCreate};

    ioctl_write_ptr!(
        /// `DMA_BUF_IOCTL_SYNC`.
        dma_buf_sync,
        b'b',
        0,
        DmaBufSync
    );
    ioctl_write_ptr!(
        /// `UDMABUF_CREATE`.
        udmabuf_create,
        b'u',
        0x42,
        UdmabufCreate
    );
}

/// A CPU access, as `DMA_BUF_IOCTL_SYNC` has it.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// It reads from now on.
    Begin,
    /// It does not any more.
    End,
}

/// Announces a CPU access for reading and writing.
///
/// # Errors
///
/// ioctl(2)'s.
pub fn announce(buffer: impl AsFd, access: Access) -> nix::Result<()> {
    const READ_WRITE: u64 = 3;
    let flags = READ_WRITE
        | match access {
            Access::Begin => 0,
            Access::End => 1 << 2,
        };
    let sync = DmaBufSync { flags };
    // SAFETY: the command reads this structure.
    unsafe { command::dma_buf_sync(buffer.as_fd().as_raw_fd(), &sync) }.map(drop)
}

/// Bytes in a dma-buf.
///
/// # Errors
///
/// lseek(2)'s.
pub fn size(buffer: impl AsFd) -> nix::Result<i64> {
    let size = lseek(buffer.as_fd(), 0, Whence::SeekEnd)?;
    lseek(buffer.as_fd(), 0, Whence::SeekSet)?;
    Ok(size)
}

/// What the kernel offers today for a file: a dma-buf made by /dev/udmabuf.
///
/// # Errors
///
/// `EBADFD`: it is no memfd.
pub fn by_udmabuf(file: impl AsFd, length: u64) -> Result<nix::Result<()>> {
    let device = fs::File::open("/dev/udmabuf").context("/dev/udmabuf")?;
    let create = UdmabufCreate {
        memfd: file.as_fd().as_raw_fd() as u32,
        flags: 0,
        offset: 0,
        size: length,
    };
    // SAFETY: the command reads this structure.
    let made = unsafe { command::udmabuf_create(device.as_raw_fd(), &create) };
    Ok(made.map(|fd| {
        // SAFETY: the command returned a descriptor that nobody else owns.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }))
}

/// What debugfs tells of the dma-bufs of pinlease.
///
/// # Errors
///
/// It cannot be read.
pub fn listed() -> Result<Vec<String>> {
    let text = fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").context("bufinfo")?;
    let lines = text.lines().filter(|line| line.contains("\tpinlease\t"));
    Ok(lines.map(Into::into).collect())
}

/// A mapping of a dma-buf.
#[derive(Debug)]
pub struct BufferMap {
    address: NonNull<u8>,
    length: NonZeroUsize,
}

impl BufferMap {
    /// Maps `pages` pages from the first on.
    ///
    /// # Errors
    ///
    /// mmap(2)'s.
    pub fn new(
        buffer: impl AsFd,
        pages: usize,
        protection: ProtFlags,
        flags: MapFlags,
    ) -> nix::Result<Self> {
        let length = NonZeroUsize::new(pages * page_size()).ok_or(nix::errno::Errno::EINVAL)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let address = unsafe { mmap(None, length, protection, flags, buffer, 0) }?;
        Ok(Self {
            address: address.cast(),
            length,
        })
    }

    /// The same, shared, for reading and writing.
    ///
    /// # Errors
    ///
    /// mmap(2)'s.
    pub fn shared(buffer: impl AsFd, pages: usize) -> nix::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        Self::new(buffer, pages, protection, MapFlags::MAP_SHARED)
    }

    /// The first byte of a page.
    pub fn load(&self, page: usize) -> u8 {
        // SAFETY: a byte of the mapping; if it is gone, this process gets SIGBUS.
        unsafe { self.at(page).read_volatile() }
    }

    /// Changes the first byte of a page.
    pub fn store(&self, page: usize, byte: u8) {
        // SAFETY: as above, and nothing refers to it.
        unsafe { self.at(page).write_volatile(byte) };
    }

    fn at(&self, page: usize) -> *mut u8 {
        assert!(page * page_size() < self.length.get());
        self.address.as_ptr().wrapping_add(page * page_size())
    }
}

impl Drop for BufferMap {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference to it exists.
        let _ = unsafe { munmap(self.address.cast(), self.length.get()) };
    }
}
