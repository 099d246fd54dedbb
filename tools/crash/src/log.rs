// SPDX-License-Identifier: GPL-2.0
//! Logs of a disk's writes in the format of dm-log-writes, as QEMU's block driver blklogwrites makes them.
//!
//! A superblock of one sector, then entries: a sector with the entry's head, and for writes the data. QEMU gives an entry
//! its place after the write and before the guest learns that it is done, so that the entries before any position are
//! what the disk was given up to a certain moment.

use std::{fs::File, io, os::unix::fs::FileExt};

use anyhow::{ensure, Context, Result};

/// Bytes of a sector, of disks and of logs.
pub const SECTOR: usize = 512;

const MAGIC: u64 = 0x6a_7366_7773_6872;
const VERSION: u64 = 1;

const FLUSH: u64 = 1 << 0;
const FUA: u64 = 1 << 1;
const DISCARD: u64 = 1 << 2;
const MARK: u64 = 1 << 3;

/// Something that a log can be read from.
pub trait Source {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    ///
    /// It is shorter, or cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// It does not tell.
    fn length(&self) -> io::Result<u64>;
}

impl Source for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl Source for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.get(from..from + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// What was asked of the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// First sector.
    pub sector: u64,
    /// Sectors; 0 for a mere flush.
    pub sectors: u64,
    /// Whether everything that was done before becomes durable first.
    pub flush: bool,
    /// Whether it is durable when it is done.
    pub fua: bool,
    /// Whether the sectors are thrown away instead of written.
    pub discard: bool,
    /// Where in the log its data are.
    pub(crate) data: u64,
}

impl Entry {
    /// A write whose data are at `data` in the log.
    pub fn write(sector: u64, sectors: u64, data: u64) -> Self {
        Self {
            sector,
            sectors,
            flush: false,
            fua: false,
            discard: false,
            data,
        }
    }

    /// A flush.
    pub fn flush() -> Self {
        Self {
            flush: true,
            ..Self::write(0, 0, 0)
        }
    }

    /// Whether it has data.
    fn has_data(&self) -> bool {
        self.sectors > 0 && !self.discard
    }
}

/// A log.
#[derive(Debug)]
pub struct Log<S> {
    source: S,
    entries: Vec<Entry>,
}

impl<S: Source> Log<S> {
    /// Reads the heads of all entries. The log of a machine that was killed ends with the first entry that is not there as
    /// a whole: no later one was acknowledged before it had its place.
    ///
    /// # Errors
    ///
    /// It is no log, or cannot be read.
    pub fn open(source: S) -> Result<Self> {
        let length = source.length()?;
        let mut head = [0; SECTOR];
        source
            .read_at(&mut head, 0)
            .context("reading the log's superblock")?;
        ensure!(
            number(&head, 0) == MAGIC && number(&head, 8) == VERSION,
            "no log of writes"
        );
        ensure!(
            number(&head, 24) & 0xffff_ffff == SECTOR as u64,
            "the log has other sectors than of {SECTOR} bytes"
        );
        let mut entries = Vec::new();
        let mut at = SECTOR as u64;
        while at + SECTOR as u64 <= length {
            source.read_at(&mut head, at).context("reading an entry")?;
            let flags = number(&head, 16);
            ensure!(
                flags & !(FLUSH | FUA | DISCARD | MARK) == 0,
                "unknown flags {flags:#x} in entry {}",
                entries.len()
            );
            let entry = Entry {
                sector: number(&head, 0),
                sectors: number(&head, 8),
                flush: flags & FLUSH != 0,
                fua: flags & FUA != 0,
                discard: flags & DISCARD != 0,
                data: at + SECTOR as u64,
            };
            let data = if entry.has_data() {
                entry.sectors * SECTOR as u64
            } else {
                0
            };
            let nothing = flags == 0 && entry.sectors == 0;
            if nothing || entry.data + data > length {
                break;
            }
            at = entry.data + data;
            entries.push(entry);
        }
        Ok(Self { source, entries })
    }

    /// Its entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What an entry writes; empty when it is no write.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn data(&self, index: usize) -> Result<Vec<u8>> {
        let entry = &self.entries[index];
        if !entry.has_data() {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(entry.sectors)? * SECTOR];
        self.source
            .read_at(&mut bytes, entry.data)
            .with_context(|| format!("reading the data of entry {index}"))?;
        Ok(bytes)
    }
}

/// A little-endian number of a head.
fn number(head: &[u8; SECTOR], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&head[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// Makes logs, for tests.
#[cfg(test)]
pub(crate) mod making {
    use super::*;

    /// The beginning of a log.
    pub fn superblock() -> Vec<u8> {
        let mut bytes = vec![0; SECTOR];
        for (at, number) in [(0, MAGIC), (8, VERSION), (24, SECTOR as u64)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Appends an entry; `data` is empty but for writes.
    pub fn append(log: &mut Vec<u8>, entry: &Entry, data: &[u8]) {
        let mut flags = 0;
        for (set, flag) in [
            (entry.flush, FLUSH),
            (entry.fua, FUA),
            (entry.discard, DISCARD),
        ] {
            flags |= if set { flag } else { 0 };
        }
        let mut head = vec![0; SECTOR];
        for (at, number) in [(0, entry.sector), (8, entry.sectors), (16, flags)] {
            head[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        log.extend(head);
        log.extend(data);
    }
}

#[cfg(test)]
mod tests {
    use super::{making::*, *};

    #[test]
    fn reads_what_was_logged() {
        let mut bytes = superblock();
        append(&mut bytes, &Entry::write(5, 2, 0), &[7; 2 * SECTOR]);
        append(&mut bytes, &Entry::flush(), &[]);
        let discard = Entry {
            discard: true,
            ..Entry::write(9, 1000, 0)
        };
        append(&mut bytes, &discard, &[]);
        append(&mut bytes, &Entry::write(1, 1, 0), &[8; SECTOR]);
        let log = Log::open(bytes).unwrap();
        assert_eq!(log.entries().len(), 4);
        assert_eq!(log.data(0).unwrap(), [7; 2 * SECTOR]);
        assert!(log.entries()[1].flush && log.data(1).unwrap().is_empty());
        assert!(log.entries()[2].discard && log.data(2).unwrap().is_empty());
        assert_eq!(log.data(3).unwrap(), [8; SECTOR]);
    }

    #[test]
    fn ends_before_what_is_not_whole() {
        let mut bytes = superblock();
        append(&mut bytes, &Entry::flush(), &[]);
        let whole = bytes.len();
        append(&mut bytes, &Entry::write(5, 2, 0), &[7; SECTOR]);
        assert_eq!(Log::open(bytes.clone()).unwrap().entries().len(), 1);
        // A place that was given away and not written yet.
        bytes.truncate(whole);
        bytes.extend([0; 8 * SECTOR]);
        assert_eq!(Log::open(bytes).unwrap().entries().len(), 1);
    }

    #[test]
    fn refuses_what_is_no_log() {
        assert!(Log::open(vec![0; 4096]).is_err());
        assert!(Log::open(vec![]).is_err());
        let mut bytes = superblock();
        bytes.extend([0xff; SECTOR]);
        assert!(Log::open(bytes).is_err());
    }
}
