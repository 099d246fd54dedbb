// SPDX-License-Identifier: GPL-2.0
//! Operations and sequences of them: what is generated, mutated, kept and replayed.
//!
//! An operation names things by small numbers that are taken modulo what there is, so that every
//! sequence means something whatever was cut out of it.

use serde::{Deserialize, Serialize};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Pages of a file at the beginning of a sequence.
pub const PAGES: u64 = 32;
/// Files of a worker.
pub const FILES: usize = 3;
/// Places for mappings; the first ones map all of each file for ever.
pub const SLOTS: usize = FILES + 5;
/// Pages from one place to the next; what lies between is never mapped.
pub const SLOT_PAGES: u64 = 2 * PAGES;

/// Who does something.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Actor {
    /// The worker, as root.
    #[serde(rename = "a")]
    Worker,
    /// Its partner, another process of another user.
    #[serde(rename = "b")]
    Partner,
}

impl Actor {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Worker => Self::Partner,
            Self::Partner => Self::Worker,
        }
    }
}

/// How a file is open.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Open {
    /// For reading and writing.
    Both,
    /// For reading.
    Read,
    /// For writing.
    Write,
    /// It is a pipe.
    Pipe,
    /// Not at all.
    No,
}

/// How long a breaker has to wait.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Grace {
    /// As the administrator says, some seconds.
    Default,
    /// A millisecond.
    Short,
    /// A minute, longer than a sequence takes.
    Long,
    /// More than everybody may ask for.
    TooLong,
}

/// What is mapped how.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Mapping {
    /// As a pin needs it.
    Shared,
    /// Shared, for reading.
    ReadOnly,
    /// A private copy.
    Private,
}

/// How pages are taken away from a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Means {
    /// ftruncate(2) to the first byte.
    Truncate,
    /// The same to the middle of the first page.
    TruncateInside,
    /// open(2) with O_TRUNC.
    OpenTruncating,
    /// Punching a hole.
    Punch,
    /// The same with a byte less on both sides.
    PunchInside,
    /// Zeroing.
    Zero,
    /// Collapsing, where the filesystem can.
    Collapse,
    /// Inserting, where the filesystem can.
    Insert,
    /// A direct write.
    DirectWrite,
}

/// How long a breaker waits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Patience {
    /// Not at all: O_NONBLOCK.
    ComesBack,
    /// Until the policy has acted, if that is soon.
    Waits,
    /// Until a signal comes.
    Interrupted,
}

/// How a command is made wrong.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Malformed {
    /// Its argument cannot be read.
    BadAddress,
    /// The structure is smaller than any version of it.
    TooSmall,
    /// It is larger than 4096 bytes.
    TooLarge,
    /// It is larger than known, and not zero there.
    NonzeroTail,
    /// A reserved field, or a flag, is set.
    Reserved,
    /// No such command.
    WrongNumber,
    /// Another type of commands.
    WrongType,
    /// On the wrong kind of descriptor.
    WrongDescriptor,
}

impl Malformed {
    /// All ways.
    pub const ALL: &[Self] = &[
        Self::BadAddress,
        Self::TooSmall,
        Self::TooLarge,
        Self::NonzeroTail,
        Self::Reserved,
        Self::WrongNumber,
        Self::WrongType,
        Self::WrongDescriptor,
    ];
}

/// How durability is asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Sync {
    /// fsync(2).
    Fsync,
    /// fdatasync(2).
    Fdatasync,
    /// sync_file_range(2), which only writes.
    Range,
}

/// How an actor's process goes on in a child.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Child {
    /// It exits at once.
    Exits,
    /// It executes another program, which exits.
    Executes,
}

/// How a dma-buf is open.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Access {
    /// For reading and writing.
    Write,
    /// For reading.
    Read,
    /// As the command does not know it.
    Unknown,
}

/// What a device can do when its dma-buf is taken away.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Importer {
    /// It lets go at once.
    Revocable,
    /// It keeps it.
    Static,
    /// It lets go at the end of its pass.
    Fenced,
}

/// One operation.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are what the calls take")]
pub enum Operation {
    /// PINLEASE_IOC_ACQUIRE; 0 pages: to the end.
    Acquire {
        file: u8,
        open: Open,
        first: u8,
        pages: u8,
        policy: u8,
        grace: Grace,
        grant: bool,
        unaligned: bool,
    },
    /// PINLEASE_IOC_PIN of pages of a mapping, counted from its beginning.
    Pin {
        handle: u8,
        slot: u8,
        first: u8,
        pages: u8,
        marked: bool,
        unaligned: bool,
    },
    /// PINLEASE_IOC_UNPIN.
    Unpin { handle: u8, pin: u8, unknown: bool },
    /// PINLEASE_IOC_MARK.
    Mark { handle: u8, first: u8, pages: u8 },
    /// PINLEASE_IOC_SHRINK.
    Shrink { handle: u8, first: u8, pages: u8 },
    /// PINLEASE_IOC_QUERY.
    Query { handle: u8 },
    /// close(2) of a lease.
    Close { handle: u8 },
    /// dup(2) of a lease.
    Duplicate { handle: u8 },
    /// Sends a lease to the other process.
    Send { handle: u8 },
    /// Looks for events, and reads them.
    Read { handle: u8 },
    /// fcntl(2): signals for events.
    Signals { handle: u8, on: bool },
    /// A malformed command.
    Hostile {
        handle: u8,
        command: u8,
        how: Malformed,
    },
    /// PINLEASE_IOC_NEXT, until there is none.
    List,
    /// PINLEASE_IOC_WATCH.
    Watch,
    /// Reads what a watch has.
    ReadWatch { watch: u8 },
    /// close(2) of a watch.
    CloseWatch { watch: u8 },
    /// mmap(2).
    Map {
        slot: u8,
        file: u8,
        first: u8,
        pages: u8,
        kind: Mapping,
    },
    /// munmap(2).
    Unmap { slot: u8 },
    /// mremap(2) to another place.
    Move { slot: u8, to: u8 },
    /// A store into a mapping.
    Store { slot: u8, page: u8 },
    /// Takes pages away.
    Break {
        file: u8,
        means: Means,
        first: u8,
        pages: u8,
        patience: Patience,
    },
    /// ftruncate(2) to this many pages, if that is more than there are.
    Extend { file: u8, pages: u8 },
    /// A buffered write of pages.
    Write { file: u8, first: u8, pages: u8 },
    /// Asks for durability.
    Sync { file: u8, how: Sync },
    /// Opens a device.
    Engine,
    /// Gives it a pin.
    Attach { engine: u8, handle: u8, pin: u8 },
    /// Gives it memory for a long time, under a grant.
    PinRaw {
        engine: u8,
        slot: u8,
        first: u8,
        pages: u8,
    },
    /// It writes.
    DeviceWrite { engine: u8, first: u8, pages: u8 },
    /// It writes on and on.
    Start { engine: u8 },
    /// It stops.
    Stop { engine: u8 },
    /// It is closed.
    CloseEngine { engine: u8 },
    /// PINLEASE_IOC_EXPORT of pages of a pin, counted from its first; 0 pages: to its end.
    Export {
        handle: u8,
        pin: u8,
        first: u8,
        pages: u8,
        access: Access,
        unaligned: bool,
    },
    /// A device imports a dma-buf.
    Import {
        engine: u8,
        buffer: u8,
        kind: Importer,
    },
    /// DMA_BUF_IOCTL_SYNC.
    Access { buffer: u8, end: bool },
    /// close(2) of a dma-buf.
    CloseBuffer { buffer: u8 },
    /// fork(2).
    Fork { child: Child },
}

/// An operation and who does it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Step(pub Actor, pub Operation);

/// Operations one after the other, from a state in which nothing is leased.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sequence(pub Vec<Step>);
