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
use crate::{bindings, policy::written::Fingerprint};
use kernel::page::Page;

/// Draws the key. Once, before anything else here.
pub(crate) fn init() {
    // SAFETY: Called once, when the module is loaded.
    unsafe { bindings::pinlease_fingerprint_init() };
}

/// Of a page of ours.
pub(crate) fn of_page(page: &Page) -> Fingerprint {
    // SAFETY: The page is valid.
    unsafe { of(page.as_ptr()) }
}

/// Of page `place` of a folio, as it is now: a device may write it meanwhile. `None` when the folio
/// has no such page.
pub(crate) fn of_folio(folio: &Folio, place: u64) -> Option<Fingerprint> {
    // SAFETY: The folio is valid and has that page.
    (place < folio.pages()).then(|| unsafe { of(folio.page(place)) })
}

/// # Safety
///
/// `page` is valid.
unsafe fn of(page: *mut bindings::page) -> Fingerprint {
    let mut digest = [0; 16];
    // SAFETY: As the caller promises; the digest has 16 bytes.
    unsafe { bindings::pinlease_fingerprint(page, digest.as_mut_ptr()) };
    Fingerprint::new(u128::from_ne_bytes(digest))
}
