// SPDX-License-Identifier: GPL-2.0
//! A file with a shared mapping of all of it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    ptr::NonNull,
};

use anyhow::{Context, Result};
use nix::{errno::Errno, sys::mman::munmap};

use pinlease::map_shared;

use super::stamp;

/// Bytes of a page on x86-64, the only machine that the tests know.
pub const fn page_size() -> usize {
    4096
}

/// Where the page cache gets its folios from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fill {
    /// Page faults on a file that ftruncate(2) made long: folios of one page.
    Faulted,
    /// Big write(2)s: large folios, where the filesystem has them.
    Written,
}

/// A file with stamps of generation 0 on disk, mapped shared and writable.
///
/// The memory is only ever reached through raw pointers: a device may write
/// it at any moment.
#[derive(Debug)]
pub struct Mapped {
    file: File,
    path: PathBuf,
    address: NonNull<u8>,
    pages: u64,
    /// Whether the file stays.
    kept: bool,
}

impl Mapped {
    /// Makes a new file at `path` with `pages` pages.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub fn create(path: &Path, pages: u64, fill: Fill) -> Result<Self> {
        let file = new_file(path)?;
        if fill == Fill::Written {
            write_stamps(&file, pages)?;
        } else {
            file.set_len(pages * page_size() as u64)?;
        }
        let mapped = Self::new(file, path, pages)?;
        if fill == Fill::Faulted {
            mapped.keep_folios_small()?;
            mapped.stamp_by_cpu(0);
        }
        mapped.file.sync_all().context("first fsync")?;
        Ok(mapped)
    }

    /// Makes a new file at `path` that is one hole.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub fn sparse(path: &Path, pages: u64) -> Result<Self> {
        let file = new_file(path)?;
        file.set_len(pages * page_size() as u64)?;
        Self::new(file, path, pages)
    }

    /// Maps a file that is there.
    ///
    /// # Errors
    ///
    /// It cannot be opened or mapped.
    pub fn open(path: &Path, pages: u64) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Self::new(file, path, pages)
    }

    fn new(file: File, path: &Path, pages: u64) -> Result<Self> {
        Ok(Self {
            address: map_shared(&file, 0, pages as usize * page_size()).context("mmap")?,
            file,
            path: path.into(),
            pages,
            kept: false,
        })
    }

    /// Neither readahead makes large folios, of faults that follow each other, nor
    /// khugepaged.
    fn keep_folios_small(&self) -> Result<()> {
        for advice in [libc::MADV_RANDOM, libc::MADV_NOHUGEPAGE] {
            let address = self.address.as_ptr().cast();
            // SAFETY: the range is mapped, and the call changes no contents.
            let result = unsafe { libc::madvise(address, self.length(), advice) };
            Errno::result(result).context("madvise")?;
        }
        Ok(())
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The memory, from page `page` on.
    pub fn address(&self, page: u64) -> *mut u8 {
        assert!(page < self.pages);
        self.address
            .as_ptr()
            .wrapping_add(page as usize * page_size())
    }

    /// Pages in it.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Bytes in it.
    pub fn length(&self) -> usize {
        self.pages as usize * page_size()
    }

    /// msync(2) of `pages` pages from page `first` on, with `MS_SYNC`.
    ///
    /// # Errors
    ///
    /// msync(2)'s errno.
    pub fn msync(&self, first: u64, pages: u64) -> nix::Result<()> {
        assert!(first + pages <= self.pages);
        let address = self.address(first).cast();
        let length = pages as usize * page_size();
        // SAFETY: the range is mapped, and the call changes no contents.
        Errno::result(unsafe { libc::msync(address, length, libc::MS_SYNC) }).map(drop)
    }

    /// Unmaps and closes it, and leaves the file where it is.
    pub fn keep(mut self) -> PathBuf {
        self.kept = true;
        self.path.clone()
    }

    /// Fills every page by the CPU, as the device would.
    pub fn stamp_by_cpu(&self, generation: u64) {
        for page in 0..self.pages {
            self.stamp_page(page, generation);
        }
    }

    /// Fills one page by the CPU.
    pub fn stamp_page(&self, page: u64, generation: u64) {
        let mut buffer = vec![0; page_size()];
        stamp(&mut buffer, page, generation);
        // SAFETY: the page is mapped for as long as `self` lives, and nothing
        // refers to it but raw pointers.
        unsafe {
            self.address(page)
                .copy_from_nonoverlapping(buffer.as_ptr(), buffer.len())
        };
    }

    /// A copy of what page `page` holds in memory.
    pub fn load(&self, page: u64) -> Vec<u8> {
        let mut buffer = vec![0; page_size()];
        // SAFETY: as in stamp_page().
        unsafe {
            self.address(page)
                .copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len())
        };
        buffer
    }

    /// Makes every page dirty as a store of the CPU would, without changing it.
    ///
    /// # Errors
    ///
    /// What the filesystem says.
    pub fn touch(&self) -> Result<()> {
        // SAFETY: the range is mapped, and the call changes no contents.
        let result = unsafe {
            libc::madvise(
                self.address.as_ptr().cast(),
                self.length(),
                libc::MADV_POPULATE_WRITE,
            )
        };
        Errno::result(result).context("madvise(MADV_POPULATE_WRITE)")?;
        Ok(())
    }
}

impl AsFd for Mapped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no reference to it exists.
        let _ = unsafe { munmap(self.address.cast(), self.length()) };
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A new file, in place of an old one of this name.
///
/// # Errors
///
/// What the filesystem says.
pub fn new_file(path: &Path) -> Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("removing the old file");
        }
        _ => {}
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))
}

/// Writes stamps of generation 0, two mebibytes at a time.
fn write_stamps(mut file: &File, pages: u64) -> Result<()> {
    const CHUNK: u64 = 512;
    for first in (0..pages).step_by(CHUNK as usize) {
        let count = CHUNK.min(pages - first) as usize;
        let mut buffer = vec![0; count * page_size()];
        for (page, number) in buffer.chunks_exact_mut(page_size()).zip(first..) {
            stamp(page, number, 0);
        }
        file.write_all(&buffer).context("filling by write(2)")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Stamp;

    #[test]
    fn both_fills_hold_stamps() {
        for fill in [Fill::Faulted, Fill::Written] {
            let path = std::env::temp_dir().join(format!("mapped-{}", std::process::id()));
            let mapped = Mapped::create(&path, 3, fill).unwrap();
            assert_eq!(Stamp::read(&mapped.load(2), 2), Stamp::Whole(0));
            mapped.stamp_by_cpu(4);
            mapped.touch().unwrap();
            assert_eq!(Stamp::read(&mapped.load(1), 1), Stamp::Whole(4));
            drop(mapped);
            assert!(!path.exists());
        }
    }
}
