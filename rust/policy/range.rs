// SPDX-License-Identifier: GPL-2.0

//! Ranges of pages of a file.

/// Base-2 logarithm of the page size; only x86-64 is supported.
pub const PAGE_SHIFT: u32 = 12;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// Pages in the largest folio that a file can have (`MAX_PAGECACHE_ORDER`); folios begin at multiples
/// of their size.
pub const LARGEST_FOLIO: u64 = 1 << 9;

/// One past the largest page index: `loff_t` is signed.
const PAGES_MAX: u64 = 1 << (63 - PAGE_SHIFT);

/// A range of pages that is not empty.
///
/// # Invariants
///
/// `0 < count` and `first + count <= PAGES_MAX`, so that byte offsets fit `loff_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct PageRange {
    first: u64,
    count: u64,
}

/// Why bytes are not a range of pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeError {
    /// The first byte is not at a page boundary.
    Unaligned,
    /// There is no byte in it.
    Empty,
    /// It reaches beyond what a file can have.
    Overflow,
}

impl PageRange {
    /// `count` pages from index `first`.
    pub fn new(first: u64, count: u64) -> Result<Self, RangeError> {
        if count == 0 {
            return Err(RangeError::Empty);
        }
        match first.checked_add(count) {
            // INVARIANT: Both were just checked.
            Some(end) if end <= PAGES_MAX => Ok(Self { first, count }),
            _ => Err(RangeError::Overflow),
        }
    }

    /// The pages of a folio, which are in a file.
    pub fn of_folio(first: u64, count: u64) -> Self {
        debug_assert!(Self::new(first, count).is_ok());
        // INVARIANT: A folio has a page, and a file can have no page beyond.
        Self { first, count }
    }

    /// `length` bytes from `offset`, which is a multiple of the page size; `length` is rounded up.
    pub fn aligned(offset: u64, length: u64) -> Result<Self, RangeError> {
        if offset & (PAGE_SIZE - 1) != 0 {
            return Err(RangeError::Unaligned);
        }
        Self::covering(offset, length)
    }

    /// All pages that `length` bytes from `offset` touch.
    pub fn covering(offset: u64, length: u64) -> Result<Self, RangeError> {
        if length == 0 {
            return Err(RangeError::Empty);
        }
        let last = offset.checked_add(length - 1).ok_or(RangeError::Overflow)?;
        let first = offset >> PAGE_SHIFT;
        Self::new(first, (last >> PAGE_SHIFT) - first + 1)
    }

    /// All pages from the one that holds byte `offset` on.
    pub fn from_byte(offset: u64) -> Result<Self, RangeError> {
        let first = offset >> PAGE_SHIFT;
        Self::new(first, PAGES_MAX.saturating_sub(first))
    }

    /// The pages of the byte range `first..=last` as `->fsync` gets it, of which `last` may lie
    /// beyond every file; `None` when it is empty.
    pub fn of_sync(first: i64, last: i64) -> Option<Self> {
        let first = u64::try_from(first).ok()?;
        let last = u64::try_from(last).ok()?;
        let length = last.checked_sub(first)?.saturating_add(1);
        Self::covering(first, length).ok()
    }

    /// It, up to multiples of `pages` at both ends. `pages` is a power of two.
    pub fn widened(&self, pages: u64) -> Self {
        let first = self.first & !(pages - 1);
        let end = (self.end() + pages - 1) & !(pages - 1);
        // INVARIANT: It contains `self`, and `PAGES_MAX` is a multiple of every power of two below.
        Self {
            first,
            count: end - first,
        }
    }

    /// The smallest range that contains both.
    pub fn joined(&self, other: &Self) -> Self {
        let first = self.first.min(other.first);
        // INVARIANT: Both ends are those of ranges.
        Self {
            first,
            count: self.end().max(other.end()) - first,
        }
    }

    /// The pages that are in both, if there are any.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let end = self.end().min(other.end());
        Self::new(first, end.saturating_sub(first)).ok()
    }

    /// What is before `other`, and what is after it.
    pub fn without(&self, other: &Self) -> [Option<Self>; 2] {
        let before = other.first.min(self.end()).saturating_sub(self.first);
        let after = other.end().max(self.first);
        [
            Self::new(self.first, before).ok(),
            Self::new(after, self.end().saturating_sub(after)).ok(),
        ]
    }

    /// Index of the first page.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of pages.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One past the index of the last page.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }

    /// Byte offset.
    pub fn offset(&self) -> u64 {
        self.first << PAGE_SHIFT
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.count << PAGE_SHIFT
    }

    /// First and last byte.
    pub fn bytes(&self) -> (u64, u64) {
        (self.offset(), self.offset() + (self.length() - 1))
    }

    /// Whether a page is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first < other.end() && other.first < self.end()
    }

    /// Whether every page of `other` is in it.
    pub fn contains(&self, other: &Self) -> bool {
        self.first <= other.first && other.end() <= self.end()
    }
}
