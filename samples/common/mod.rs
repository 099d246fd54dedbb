// SPDX-License-Identifier: GPL-2.0

//! What the sample drivers share: memory to write, and arguments of ioctls.
//!
//! Each of them includes this by its path; a crate of its own would need exported symbols.

mod attachment;
mod raw_pin;

pub(crate) mod argument;
pub(crate) mod pages;

pub(crate) use attachment::Attachment;
pub(crate) use pages::Pages;
pub(crate) use raw_pin::RawPin;

/// What keeps the pages.
#[expect(dead_code, reason = "held for what dropping it does")]
pub(crate) enum Memory {
    /// pinlease does.
    Attached(Attachment),
    /// A plain pin does. Let go without marking pages dirty, as io_uring lets go of its buffers,
    /// unless it was to be otherwise.
    Raw(RawPin),
}
