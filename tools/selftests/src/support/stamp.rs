// SPDX-License-Identifier: GPL-2.0
//! What dmasim writes: page P is filled in generation G with the word
//! `G << 32 | P`.

/// Fills `page`, number `number`, as generation `generation`.
pub fn stamp(page: &mut [u8], number: u64, generation: u64) {
    let word = ((generation << 32) | number).to_ne_bytes();
    for chunk in page.chunks_exact_mut(word.len()) {
        chunk.copy_from_slice(&word);
    }
}

/// What a page says about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stamp {
    /// Filled by one generation.
    Whole(u64),
    /// Filled by several generations, from the oldest to the newest.
    Mixed {
        /// The oldest.
        oldest: u64,
        /// The newest.
        newest: u64,
    },
    /// Has a word that the device never wrote into this page.
    Foreign,
}

impl Stamp {
    /// Reads `page`, which should be number `number`.
    pub fn read(page: &[u8], number: u64) -> Self {
        let mut oldest = u64::MAX;
        let mut newest = 0;
        for chunk in page.chunks_exact(8) {
            // Cannot fail: chunks_exact(8) gives 8 bytes.
            let word = u64::from_ne_bytes(chunk.try_into().unwrap_or_default());
            if word & 0xffff_ffff != number {
                return Self::Foreign;
            }
            oldest = oldest.min(word >> 32);
            newest = newest.max(word >> 32);
        }
        if oldest == newest {
            Self::Whole(oldest)
        } else {
            Self::Mixed { oldest, newest }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_stamped() {
        let mut page = [0; 4096];
        stamp(&mut page, 7, 3);
        assert_eq!(Stamp::read(&page, 7), Stamp::Whole(3));
        assert_eq!(Stamp::read(&page, 8), Stamp::Foreign);
    }

    #[test]
    fn sees_mixtures() {
        let mut page = [0; 4096];
        stamp(&mut page, 7, 3);
        stamp(&mut page[4088..], 7, 5);
        let mixed = Stamp::Mixed {
            oldest: 3,
            newest: 5,
        };
        assert_eq!(Stamp::read(&page, 7), mixed);
        page[96] ^= 1;
        assert_eq!(Stamp::read(&page, 7), Stamp::Foreign);
    }

    #[test]
    fn zeros_are_foreign_but_for_page_zero() {
        assert_eq!(Stamp::read(&[0; 4096], 1), Stamp::Foreign);
        assert_eq!(Stamp::read(&[0; 4096], 0), Stamp::Whole(0));
    }
}
