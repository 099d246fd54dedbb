// SPDX-License-Identifier: GPL-2.0
//! What breakers do.

use std::fmt;

use pinlease_uapi as uapi;

/// Defines the enum, its numbers and its words in one table.
macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $raw:ident $word:literal,)*) => {
        /// What a breaker does.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
            /// An operation that this library does not know.
            Other(u32),
        }

        impl Operation {
            /// The operation of number `raw`; `None` for 0.
            pub(crate) const fn from_raw(raw: u32) -> Option<Self> {
                match raw {
                    0 => None,
                    $(uapi::$raw => Some(Self::$variant),)*
                    other => Some(Self::Other(other)),
                }
            }
        }

        impl fmt::Display for Operation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                    Self::Other(raw) => return write!(f, "operation-{raw}"),
                })
            }
        }
    };
}

operations! {
    /// truncate(2), ftruncate(2), open(2) with `O_TRUNC`.
    Truncate = PINLEASE_OPERATION_TRUNCATE "truncate",
    /// fallocate(2), `FALLOC_FL_PUNCH_HOLE`.
    PunchHole = PINLEASE_OPERATION_PUNCH_HOLE "punch-hole",
    /// fallocate(2), `FALLOC_FL_ZERO_RANGE`.
    ZeroRange = PINLEASE_OPERATION_ZERO_RANGE "zero-range",
    /// fallocate(2), `FALLOC_FL_COLLAPSE_RANGE`.
    CollapseRange = PINLEASE_OPERATION_COLLAPSE_RANGE "collapse-range",
    /// fallocate(2), `FALLOC_FL_INSERT_RANGE`.
    InsertRange = PINLEASE_OPERATION_INSERT_RANGE "insert-range",
    /// fallocate(2), `FALLOC_FL_UNSHARE_RANGE`.
    UnshareRange = PINLEASE_OPERATION_UNSHARE_RANGE "unshare-range",
    /// fallocate(2), `FALLOC_FL_WRITE_ZEROES`.
    WriteZeroes = PINLEASE_OPERATION_WRITE_ZEROES "write-zeroes",
    /// `FICLONE`, `FICLONERANGE`.
    Clone = PINLEASE_OPERATION_CLONE "clone",
    /// `FIDEDUPERANGE`.
    Dedupe = PINLEASE_OPERATION_DEDUPE "dedupe",
    /// copy_file_range(2), where it shares.
    Copy = PINLEASE_OPERATION_COPY "copy",
    /// exchange-range, swapext, move-extent.
    Exchange = PINLEASE_OPERATION_EXCHANGE "exchange",
    /// A write with `O_DIRECT`.
    DirectWrite = PINLEASE_OPERATION_DIRECT_WRITE "direct-write",
    /// swapon(2).
    Swapon = PINLEASE_OPERATION_SWAPON "swapon",
    /// `FS_IOC_SETFLAGS`: journaling, compression.
    SetFlags = PINLEASE_OPERATION_SET_FLAGS "set-flags",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(Operation::from_raw(0), None);
        assert_eq!(Operation::from_raw(1), Some(Operation::Truncate));
        assert_eq!(Operation::from_raw(14), Some(Operation::SetFlags));
        assert_eq!(Operation::from_raw(99), Some(Operation::Other(99)));
        assert_eq!(Operation::PunchHole.to_string(), "punch-hole");
        assert_eq!(Operation::Other(99).to_string(), "operation-99");
    }
}
