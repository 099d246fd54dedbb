// SPDX-License-Identifier: GPL-2.0
//! The kinds of operations, to count them by.

use crate::operation::Operation;

macro_rules! variants {
    ($($name:ident = $text:literal,)*) => {
        /// Their names.
        pub const NAMES: &[&str] = &[$($text,)*];

        #[allow(clippy::upper_case_acronyms, reason = "the names of the operations")]
        #[derive(Clone, Copy)]
        enum Variant {
            $($name,)*
        }

        impl Operation {
            /// Which kind it is, an index into [`NAMES`].
            pub fn variant(&self) -> usize {
                (match self {
                    $(Self::$name { .. } => Variant::$name,)*
                }) as usize
            }
        }
    };
}

variants! {
    Acquire = "acquire",
    Pin = "pin",
    Unpin = "unpin",
    Mark = "mark",
    Shrink = "shrink",
    Query = "query",
    Close = "close",
    Duplicate = "duplicate",
    Send = "send",
    Read = "read",
    Signals = "signals",
    Hostile = "hostile",
    List = "list",
    Watch = "watch",
    ReadWatch = "read-watch",
    CloseWatch = "close-watch",
    Map = "map",
    Unmap = "unmap",
    Move = "move",
    Store = "store",
    Break = "break",
    Extend = "extend",
    Write = "write",
    Sync = "sync",
    Engine = "engine",
    Attach = "attach",
    PinRaw = "pin-raw",
    DeviceWrite = "device-write",
    Start = "start",
    Stop = "stop",
    CloseEngine = "close-engine",
    Fork = "fork",
    Export = "export",
    Import = "import",
    Access = "access",
    CloseBuffer = "close-buffer",
}

/// How many kinds there are.
pub const VARIANTS: usize = NAMES.len();
