// SPDX-License-Identifier: GPL-2.0
//! What one consumer needs around it.

use std::{fmt, ops::Range, path::Path, process::Command};

use anyhow::Result;

use crate::support::{page_size, Program, Stamp};

/// Where a consumer's data arrive in its memory.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Pages of the file: just what the program maps.
    pub file_pages: u64,
    /// Pages into which data arrive.
    pub pages: Range<u64>,
    /// The part of each page into which they do.
    pub window: Range<usize>,
    /// Whether page P arrives as page P, or in any: then all have number 0.
    pub numbered: bool,
}

impl Layout {
    /// Whole pages, in order.
    pub fn whole(file_pages: u64, pages: Range<u64>) -> Self {
        Self {
            file_pages,
            pages,
            window: 0..page_size(),
            numbered: true,
        }
    }

    /// The number that is in the stamp of page `page`.
    pub fn number(&self, page: u64) -> u64 {
        if self.numbered {
            page
        } else {
            0
        }
    }

    /// What page `page` says about itself where data arrive.
    pub fn stamp(&self, bytes: &[u8], page: u64) -> Stamp {
        Stamp::read(&bytes[self.window.clone()], self.number(page))
    }
}

/// A program, and a device or peer that writes its memory.
pub trait Equipment: fmt::Debug {
    /// Where the data arrive.
    fn layout(&self) -> Layout;

    /// The program, with the memory of the file `memory`.
    fn command(&self, memory: &Path) -> Command;

    /// What has to be done before the program is started.
    ///
    /// # Errors
    ///
    /// A step fails.
    fn before(&mut self) -> Result<()> {
        Ok(())
    }

    /// What has to be done when the program was started: its peer, for
    /// instance.
    ///
    /// # Errors
    ///
    /// A step fails; the program may have ended.
    fn started(&mut self, _program: &mut Program) -> Result<()> {
        Ok(())
    }

    /// Has the device or the peer write `generation` into all pages, soon; it
    /// is called again and again until all have arrived.
    ///
    /// # Errors
    ///
    /// A step fails; the program may have ended.
    fn publish(&mut self, program: &mut Program, generation: u64) -> Result<()>;

    /// Proves that all is set up rightly, on any kernel: the program does the
    /// same with anonymous memory, and ends by itself.
    ///
    /// # Errors
    ///
    /// It does not.
    fn with_anonymous_memory(&mut self) -> Result<()>;
}
