// SPDX-License-Identifier: GPL-2.0

//! What is remembered of a page that was made clean.

/// The fingerprint of a page's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(u128);

/// What was submitted since the page was made clean, in 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory(u128);

impl Fingerprint {
    /// The smallest values count as one: a [`Memory`] needs them.
    pub fn new(value: u128) -> Self {
        Self(value.max(Memory::FIRST))
    }
}

impl Memory {
    /// Nothing, so far.
    pub const NOTHING: Self = Self(0);

    /// Different contents: it is not known which of them the file has.
    const AMBIGUOUS: Self = Self(1);

    /// The smallest value of a fingerprint.
    const FIRST: u128 = 2;

    /// A snapshot with that content is submitted.
    pub fn submits(&mut self, fingerprint: Fingerprint) {
        let submitted = Self(fingerprint.0);
        *self = match *self {
            Self::NOTHING => submitted,
            known if known == submitted => submitted,
            _ => Self::AMBIGUOUS,
        };
    }

    /// The one content that was.
    pub fn fingerprint(self) -> Option<Fingerprint> {
        (self.0 >= Self::FIRST).then_some(Fingerprint(self.0))
    }
}
