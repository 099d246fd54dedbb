// SPDX-License-Identifier: GPL-2.0
//! What a journal says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::support::Census;

/// All that was noted while a scenario ran.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// In the order of time.
    pub notes: Vec<Note>,
    /// Events of the kernel that there was no room for.
    pub overrun: u64,
    /// What the kernel could not be asked for, and why.
    pub complaints: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Note {
    /// When it began: since the journal was opened, in microseconds.
    pub at_us: u64,
    /// When it was over; the same for what takes no time.
    pub until_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The device wrote all its pages once.
    DeviceWrite {
        /// What it wrote.
        generation: u64,
    },
    /// Where the device is, which writes by itself.
    DeviceAt {
        /// What it has written completely.
        generation: u64,
    },
    /// fsync(2).
    Fsync,
    /// The flusher wrote pages of the file.
    Flusher {
        /// How many.
        pages: u64,
    },
    /// A write that a filesystem gave to its disk.
    DiskWrite {
        /// How long.
        bytes: u64,
        /// Whether it was of the file's data.
        data: bool,
    },
    /// pinlease wrote from copies.
    Snapshot {
        /// Pages of the write.
        pages: u64,
        /// Of these, copied.
        copied: u64,
    },
    /// The pin and the lease ended.
    Unpin,
    /// What is on the disk was read.
    Disk(Found),
}

/// What was on the disk.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Found {
    /// The oldest and the newest generation in pages that can be read.
    pub generations: Option<(u64, u64)>,
    /// What must be there by now, or newer, and what became of the pages; nothing
    /// when nobody promises anything at this moment.
    pub judged: Option<(u64, Census)>,
}

impl Note {
    /// Moves it to a clock that began at `start`; what was before is at zero.
    pub(super) fn new(start: Duration, (from, until): (Duration, Duration), what: What) -> Self {
        let since = |time: Duration| time.saturating_sub(start).as_micros() as u64;
        Self {
            at_us: since(from),
            until_us: since(until),
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_flat_object() {
        let times = (Duration::from_micros(12), Duration::from_micros(15));
        let what = What::DiskWrite {
            bytes: 4096,
            data: true,
        };
        let note = Note::new(Duration::from_micros(10), times, what);
        let text = serde_json::to_string(&note).unwrap();
        assert_eq!(
            text,
            r#"{"at_us":2,"until_us":5,"what":"disk_write","bytes":4096,"data":true}"#
        );
        assert_eq!(serde_json::from_str::<Note>(&text).unwrap(), note);
    }
}
