// SPDX-License-Identifier: GPL-2.0

//! What keeps the pages that an engine writes.

use crate::{
    common::{self, Attachment, RawPin},
    import::Import,
};
use kernel::sync::Arc;

pub(crate) enum Memory {
    /// A pin, of pinlease or a plain one.
    Pinned(#[expect(dead_code, reason = "held for what dropping it does")] common::Memory),
    /// The exporter of a dma-buf does.
    Imported(Arc<Import>),
}

impl From<Attachment> for Memory {
    fn from(attachment: Attachment) -> Self {
        Self::Pinned(common::Memory::Attached(attachment))
    }
}

impl From<RawPin> for Memory {
    fn from(pin: RawPin) -> Self {
        Self::Pinned(common::Memory::Raw(pin))
    }
}
