// SPDX-License-Identifier: GPL-2.0
//! What a run publishes: statements about files that hold from then on, whatever happens to the power.
//!
//! A record is one block, written past the page cache to a place behind the filesystem, again and again to the same. The
//! disk's log has every one of them, at the position from which on it holds.

use anyhow::{ensure, Context, Result};
use selftests::support::Filesystem;
use serde::{Deserialize, Serialize};

use crate::{
    geometry::{slot_of, BLOCK},
    log::{Log, Source, SECTOR},
};

/// Generations are numbered file by file, so that a word in the wrong file shows: those of file number N begin at N
/// times this.
pub const GENERATIONS: u64 = 1 << 22;

/// A statement.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Everything is set up: from here on cuts count.
    Begin,
    /// Each word of these pages is of this generation of the file, or of a later one.
    Holds {
        /// Path in the filesystem.
        file: String,
        /// The page that the device calls page 0.
        origin: u64,
        /// First page of the file.
        first: u64,
        /// How many.
        pages: u64,
        /// The generation.
        generation: u64,
        /// The last one of which a word will ever be, when nothing will be written to them any more.
        last: Option<u64>,
    },
    /// No later generation of this file has been begun.
    Reached {
        /// Path in the filesystem.
        file: String,
        /// The generation.
        generation: u64,
    },
    /// The file may be gone from now on.
    Forget {
        /// Path in the filesystem.
        file: String,
    },
}

/// What one process of a run states at one time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    /// The run.
    pub seed: u64,
    /// The statements.
    pub facts: Vec<Fact>,
}

impl Record {
    /// As a block.
    ///
    /// # Errors
    ///
    /// It is too long for one.
    pub fn encode(&self) -> Result<[u8; BLOCK]> {
        let text = serde_json::to_vec(self)?;
        ensure!(text.len() < BLOCK, "a record of {} bytes", text.len());
        let mut block = [0; BLOCK];
        block[..text.len()].copy_from_slice(&text);
        Ok(block)
    }

    /// From a block.
    ///
    /// # Errors
    ///
    /// It holds none.
    pub fn decode(block: &[u8]) -> Result<Self> {
        let end = block.iter().position(|byte| *byte == 0);
        serde_json::from_slice(&block[..end.unwrap_or(block.len())]).context("no record")
    }
}

/// A record, and from where on it holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// Entries of the log before it holds: its own is one of them.
    pub position: usize,
    /// Who published it.
    pub slot: u8,
    /// The statements.
    pub record: Record,
}

/// All that a run published, in order.
///
/// # Errors
///
/// The log cannot be read, or there is something else behind the filesystem than records of this run.
pub fn published<S: Source>(
    log: &Log<S>,
    filesystem: Filesystem,
    seed: u64,
) -> Result<Vec<Published>> {
    let mut all = Vec::new();
    for (index, entry) in log.entries().iter().enumerate() {
        let at = entry.sector * SECTOR as u64;
        if slot_of(filesystem, at).is_none() || entry.sectors == 0 || entry.discard {
            continue;
        }
        // The kernel makes one request of the writes of two processes when their slots lie side by side.
        for (at, block) in (at..).step_by(BLOCK).zip(log.data(index)?.chunks(BLOCK)) {
            let slot = slot_of(filesystem, at).context("a record in no slot")?;
            let record = Record::decode(block)
                .with_context(|| format!("entry {index}, behind the filesystem"))?;
            ensure!(record.seed == seed, "a record of another run");
            all.push(Published {
                position: index + 1,
                slot,
                record,
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        geometry::slot_at,
        log::{making, Entry},
    };

    fn record() -> Record {
        Record {
            seed: 7,
            facts: vec![Fact::Holds {
                file: "devices/a".into(),
                origin: 3,
                first: 4,
                pages: 5,
                generation: 6 * GENERATIONS,
                last: None,
            }],
        }
    }

    #[test]
    fn blocks_hold_records() {
        let block = record().encode().unwrap();
        assert_eq!(Record::decode(&block).unwrap(), record());
        assert!(Record::decode(&[0; BLOCK]).is_err());
        assert!(Record::decode(&block[..40]).is_err());
        let facts = vec![record().facts[0].clone(); 100];
        assert!(Record { facts, ..record() }.encode().is_err());
    }

    #[test]
    fn the_log_tells_from_where_on() {
        let fs = Filesystem::Ext4;
        let mut bytes = making::superblock();
        making::append(&mut bytes, &Entry::write(0, 1, 0), &[1; SECTOR]);
        let sector = slot_at(fs, 1) / SECTOR as u64;
        let entry = Entry::write(sector, (BLOCK / SECTOR) as u64, 0);
        making::append(&mut bytes, &entry, &record().encode().unwrap());
        let log = Log::open(bytes).unwrap();
        let all = published(&log, fs, 7).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].position, all[0].slot), (2, 1));
        assert_eq!(all[0].record, record());
        assert!(published(&log, fs, 8).is_err());
    }

    #[test]
    fn one_request_may_have_two_records() {
        let fs = Filesystem::Xfs;
        let mut bytes = making::superblock();
        let sector = slot_at(fs, 0) / SECTOR as u64;
        let entry = Entry::write(sector, (2 * BLOCK / SECTOR) as u64, 0);
        let block = record().encode().unwrap();
        making::append(&mut bytes, &entry, &[block, block].concat());
        let all = published(&Log::open(bytes).unwrap(), fs, 7).unwrap();
        let slots: Vec<_> = all.iter().map(|one| (one.position, one.slot)).collect();
        assert_eq!(slots, [(1, 0), (1, 1)]);
    }
}
