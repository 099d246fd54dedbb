// SPDX-License-Identifier: GPL-2.0

//! Extensible structures: a caller's may be older or newer than ours.

/// How a structure of the caller's size is read into ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Bytes to copy; the rest of ours is zero.
    pub copied: usize,
    /// Bytes after these that must be zero.
    pub must_be_zero: usize,
}

/// Why a size is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeError {
    /// Smaller than the first version of the structure: EINVAL.
    TooSmall,
    /// Larger than a page, which no version will be: E2BIG.
    TooLarge,
}

/// Largest size that is looked at, as in `copy_struct_from_user()` callers.
pub const LARGEST: usize = 4096;

/// `given` is the caller's size, `first` that of the first version, `ours` that of this one.
pub fn layout(given: usize, first: usize, ours: usize) -> Result<Layout, SizeError> {
    if given < first {
        return Err(SizeError::TooSmall);
    }
    if given > LARGEST {
        return Err(SizeError::TooLarge);
    }
    Ok(Layout {
        copied: given.min(ours),
        must_be_zero: given.saturating_sub(ours),
    })
}
