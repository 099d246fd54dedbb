// SPDX-License-Identifier: GPL-2.0

//! Fingerprints of pages: two pages with the same one have the same content.
//!
//! POLYVAL (RFC 8452) under a key that is drawn when the module is loaded and never told. As a
//! polynomial over GF(2^128), the difference of two pages has at most as many roots as a page has
//! blocks of 16 bytes, 256; so a key makes two given pages collide with a probability of at most
//! 2^-120, whatever is in them and whoever chose it.
//!
//! C header: [`include/crypto/gf128hash.h`](srctree/include/crypto/gf128hash.h)

use super::folio::Folio;
use crate::bindings;
use kernel::page::Page;

/// The fingerprint of a page's content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u128);

/// Draws the key. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { bindings::pinlease_fingerprint_init() };
}

impl Fingerprint {
    /// Of a page of ours.
    pub(crate) fn of(page: &Page) -> Self {
        // SAFETY: The page is valid.
        unsafe { Self::of_page(page.as_ptr()) }
    }

    /// Of page `place` of a folio, as it is now: a device may write it meanwhile.
    pub(crate) fn of_folio(folio: &Folio, place: u64) -> Self {
        assert!(place < folio.pages());
        // SAFETY: The folio is valid and has that page.
        unsafe { Self::of_page(folio.page(place)) }
    }

    /// # Safety
    ///
    /// `page` is valid.
    unsafe fn of_page(page: *mut bindings::page) -> Self {
        let mut digest = [0; 16];
        // SAFETY: As the caller promises; the digest has 16 bytes.
        unsafe { bindings::pinlease_fingerprint(page, digest.as_mut_ptr()) };
        // That the smallest are taken for one are a few roots more.
        Self(u128::from_ne_bytes(digest).max(Memory::FIRST))
    }
}

/// What is remembered of a page that was made clean, in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(u128);

impl Memory {
    /// Nothing was submitted since.
    pub(crate) const NOTHING: Self = Self(0);

    /// Different contents were: it is not known which is the file's.
    const AMBIGUOUS: Self = Self(1);

    /// The smallest value of a fingerprint.
    const FIRST: u128 = 2;

    /// A snapshot with that content is submitted.
    pub(crate) fn submits(&mut self, fingerprint: Fingerprint) {
        let submitted = Self(fingerprint.0);
        *self = match *self {
            Self::NOTHING => submitted,
            known if known == submitted => submitted,
            _ => Self::AMBIGUOUS,
        };
    }

    /// The content that was submitted.
    pub(crate) fn fingerprint(self) -> Option<Fingerprint> {
        (self.0 >= Self::FIRST).then_some(Fingerprint(self.0))
    }
}
