// SPDX-License-Identifier: GPL-2.0

//! Bios on their way to a device.
//!
//! C header: [`include/linux/bio.h`](srctree/include/linux/bio.h)

use super::folio::Folio;
use crate::{bindings, policy::range::PAGE_SIZE};
use kernel::{prelude::*, types::Opaque};

/// A `struct bio` that its owner is submitting.
#[repr(transparent)]
pub(crate) struct Bio(Opaque<bindings::bio>);

/// The vector of a bio and where its iterator stands in it.
#[derive(Clone, Copy)]
pub(crate) struct Vector {
    pub(crate) segments: *mut bindings::bio_vec,
    pub(crate) count: u16,
    pub(crate) index: u32,
    pub(crate) offset: u32,
}

impl Bio {
    pub(crate) fn as_ptr(&self) -> *mut bindings::bio {
        self.0.get()
    }

    /// Whether it may be writeback: it writes pages that are not a direct-I/O caller's, and it is
    /// nobody's clone or part, nor submitted by a driver on behalf of another bio.
    pub(crate) fn may_be_writeback(&self) -> bool {
        // SAFETY: The bio is valid.
        unsafe { bindings::pinlease_bio_may_be_writeback(self.as_ptr()) }
    }

    /// Whether protection information (T10-PI) has been computed from its pages, which is before
    /// `submit_bio` only where a filesystem does.
    pub(crate) fn has_integrity(&self) -> bool {
        // SAFETY: The bio is valid.
        unsafe { bindings::pinlease_bio_has_integrity(self.as_ptr()) }
    }

    /// Sends it to its device.
    pub(crate) fn submit(&self) {
        // SAFETY: The bio is complete, and its caller's to submit.
        unsafe { bindings::submit_bio(self.as_ptr()) };
    }

    /// First 512-byte sector on the device.
    pub(crate) fn sector(&self) -> u64 {
        // SAFETY: The bio is valid and being submitted, so that only we look at it.
        unsafe { (*self.as_ptr()).bi_iter.bi_sector }
    }

    /// The part of each page that it writes, in order.
    pub(crate) fn pages(&self) -> Pages<'_> {
        // SAFETY: As above. The iterator is packed, so that it is copied whole.
        let iter = unsafe { core::ptr::addr_of!((*self.as_ptr()).bi_iter).read_unaligned() };
        Pages {
            _bio: self,
            // SAFETY: As above.
            segments: unsafe { (*self.as_ptr()).bi_io_vec },
            index: iter.bi_idx as usize,
            offset: iter.bi_offset,
            rest: iter.bi_size,
        }
    }

    pub(crate) fn vector(&self) -> Vector {
        // SAFETY: As in `pages`.
        unsafe {
            let bio = self.as_ptr();
            Vector {
                segments: (*bio).bi_io_vec,
                count: (*bio).bi_vcnt,
                index: (*bio).bi_iter.bi_idx,
                offset: (*bio).bi_iter.bi_offset,
            }
        }
    }

    /// Makes the bio write from another vector.
    ///
    /// # Safety
    ///
    /// `vector` describes as many valid bytes as the bio's iterator has left, until the bio has
    /// ended or another vector is set; nobody else uses the bio now.
    pub(crate) unsafe fn set_vector(&self, vector: Vector) {
        let bio = self.as_ptr();
        // SAFETY: As the caller promises.
        unsafe {
            (*bio).bi_io_vec = vector.segments;
            (*bio).bi_vcnt = vector.count;
            (*bio).bi_iter.bi_idx = vector.index;
            (*bio).bi_iter.bi_offset = vector.offset;
        }
    }

    /// Splits off the first `pages` pages if there are more, as a bio on which this one's end
    /// depends. Waits for memory of the bio set's reserve.
    pub(crate) fn split_front(
        &self,
        pages: usize,
        set: &'static super::mempool::BioSet,
    ) -> Option<&Bio> {
        let bytes: usize = self
            .pages()
            .take(pages)
            .map(|part| part.length as usize)
            .sum();
        // SAFETY: As in `pages`.
        if bytes >= unsafe { (*self.as_ptr()).bi_iter.bi_size } as usize {
            return None;
        }
        // SAFETY: The bio is ours to split: it is being submitted, and larger than that.
        let front = unsafe {
            bindings::bio_split(
                self.as_ptr(),
                (bytes >> 9) as c_int,
                bindings::CONST_GFP_NOIO,
                set.as_ptr(),
            )
        };
        // It is an error pointer only for what cannot be split: zone append, REQ_ATOMIC.
        if front.is_null() || (front as isize) < 0 && (front as isize) >= -4095 {
            return None;
        }
        // SAFETY: Both are valid and not submitted yet.
        unsafe { bindings::bio_chain(front, self.as_ptr()) };
        // SAFETY: `bio_split` returned it; it lives until it has ended.
        Some(unsafe { &*front.cast() })
    }
}

/// The part of one page that a bio writes.
#[derive(Clone, Copy)]
pub(crate) struct PagePart {
    pub(crate) page: *mut bindings::page,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl PagePart {
    /// The folio of the page, which is kept by the bio's owner until the bio has ended.
    pub(crate) fn folio(&self) -> &Folio {
        // SAFETY: A bio's pages are valid until it has ended.
        unsafe { Folio::of_page(self.page) }
    }

    /// Whether it is all of the page.
    pub(crate) fn is_whole(&self) -> bool {
        u64::from(self.length) == PAGE_SIZE
    }

    /// Which page of the file it is part of.
    pub(crate) fn index(&self) -> u64 {
        self.folio().index_of(self.page)
    }

    pub(crate) fn as_segment(&self) -> bindings::bio_vec {
        bindings::bio_vec {
            bv_page: self.page,
            bv_len: self.length,
            bv_offset: self.offset,
        }
    }
}

/// Iterator of [`Bio::pages`].
pub(crate) struct Pages<'a> {
    _bio: &'a Bio,
    segments: *const bindings::bio_vec,
    index: usize,
    offset: u32,
    rest: u32,
}

impl Iterator for Pages<'_> {
    type Item = PagePart;

    fn next(&mut self) -> Option<PagePart> {
        if self.rest == 0 {
            return None;
        }
        // SAFETY: Bytes are left, so that the vector has an element here.
        let segment = unsafe { *self.segments.add(self.index) };
        let start = segment.bv_offset + self.offset;
        let in_page = start % PAGE_SIZE as u32;
        let length = (PAGE_SIZE as u32 - in_page)
            .min(segment.bv_len - self.offset)
            .min(self.rest);
        self.rest -= length;
        self.offset += length;
        if self.offset == segment.bv_len {
            self.index += 1;
            self.offset = 0;
        }
        Some(PagePart {
            // SAFETY: The pages of a segment are consecutive in the page array.
            page: unsafe { segment.bv_page.add((start / PAGE_SIZE as u32) as usize) },
            offset: in_page,
            length,
        })
    }
}
