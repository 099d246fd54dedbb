// SPDX-License-Identifier: GPL-2.0
//! What a process is told to do, with descriptors and addresses, and what came of it.

use std::os::fd::RawFd;

use nix::errno::Errno;
use pinlease::uapi;
use serde::{Deserialize, Serialize};

use crate::operation::{Child, Malformed, Mapping, Sync};

/// A call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the system calls")]
pub enum Call {
    /// On the device.
    Acquire {
        flags: u32,
        fd: RawFd,
        policy: u32,
        offset: u64,
        length: u64,
        grace_ms: u32,
    },
    Pin {
        fd: RawFd,
        flags: u32,
        address: u64,
        length: u64,
    },
    Unpin {
        fd: RawFd,
        id: u64,
    },
    Mark {
        fd: RawFd,
        offset: u64,
        length: u64,
    },
    Shrink {
        fd: RawFd,
        offset: u64,
        length: u64,
    },
    Query {
        fd: RawFd,
    },
    /// A command of this number, made wrong.
    Hostile {
        fd: RawFd,
        command: u8,
        how: Malformed,
    },
    /// All leases.
    List,
    Watch,
    Close {
        fd: RawFd,
    },
    Duplicate {
        fd: RawFd,
    },
    /// To the other process, which answers with its descriptor.
    Send {
        fd: RawFd,
    },
    /// Reads events if poll(2) says that there are some.
    Read {
        fd: RawFd,
    },
    Signals {
        fd: RawFd,
        on: bool,
    },
    Map {
        address: u64,
        length: u64,
        fd: RawFd,
        offset: u64,
        kind: Mapping,
    },
    Unmap {
        address: u64,
        length: u64,
    },
    Move {
        from: u64,
        to: u64,
        length: u64,
    },
    Store {
        address: u64,
    },
    Truncate {
        fd: RawFd,
        size: u64,
    },
    OpenTruncating {
        file: usize,
        flags: i32,
    },
    Allocate {
        fd: RawFd,
        mode: i32,
        offset: u64,
        length: u64,
    },
    Write {
        fd: RawFd,
        offset: u64,
        length: u64,
    },
    /// Another call, which a signal interrupts.
    Interrupted(Box<Call>),
    Sync {
        fd: RawFd,
        how: Sync,
    },
    Engine,
    Attach {
        fd: RawFd,
        lease: RawFd,
        pin: u64,
    },
    PinRaw {
        fd: RawFd,
        address: u64,
        length: u64,
    },
    DeviceWrite {
        fd: RawFd,
        first: u64,
        pages: u64,
    },
    Start {
        fd: RawFd,
    },
    Export {
        fd: RawFd,
        open_flags: u32,
        pin: u64,
        offset: u64,
        length: u64,
    },
    /// By a device.
    Import {
        fd: RawFd,
        buffer: RawFd,
        flags: u32,
    },
    /// The beginning or the end of an access to a dma-buf.
    Access {
        fd: RawFd,
        end: bool,
    },
    Stop {
        fd: RawFd,
    },
    Fork {
        child: Child,
    },
    /// Ends what a sequence left: descriptors, and mappings.
    Clean {
        fds: Vec<RawFd>,
        mappings: Vec<(u64, u64)>,
    },
}

/// What PINLEASE_IOC_QUERY says, as far as it can be foretold.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the structure")]
pub struct Queried {
    pub policy: u32,
    pub state: u32,
    pub offset: u64,
    pub length: u64,
    pub pins: u64,
    pub pinned_bytes: u64,
    pub flags: u32,
    pub exports: u32,
}

impl From<uapi::pinlease_query> for Queried {
    fn from(query: uapi::pinlease_query) -> Self {
        Self {
            policy: query.policy,
            state: query.state,
            offset: query.offset,
            length: query.length,
            pins: query.pins,
            pinned_bytes: query.pinned_bytes,
            flags: query.flags,
            exports: query.exports,
        }
    }
}

/// What came of a call.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// 0: it succeeded.
    pub errno: i32,
    /// A descriptor, an id, a number of bytes.
    pub value: u64,
    /// What a query said.
    pub queried: Option<Queried>,
}

impl Outcome {
    /// That of a system call.
    pub fn of(result: nix::Result<u64>) -> Self {
        match result {
            Ok(value) => Self {
                value,
                ..Self::default()
            },
            Err(errno) => Self {
                errno: errno as i32,
                ..Self::default()
            },
        }
    }

    /// Whether the call succeeded.
    pub fn succeeded(&self) -> bool {
        self.errno == 0
    }

    /// As people know it.
    pub fn name(&self) -> String {
        match self.errno {
            0 => format!("success ({})", self.value),
            errno => format!("{:?}", Errno::from_raw(errno)),
        }
    }
}
