// SPDX-License-Identifier: GPL-2.0
//! Makes of a record what a picture of it needs.

use selftests::support::{
    journal::{Found, Note, Record, What},
    Census,
};

/// From when until when, in microseconds.
pub type Span = (u64, u64);

/// A record by kinds of events, each in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// When the device was known to have written which generation.
    pub device: Vec<(u64, u64)>,
    /// When it wrote: single writes, or all the time in which it ran.
    pub bursts: Vec<Span>,
    /// fsync(2).
    pub fsyncs: Vec<Span>,
    /// When the flusher wrote pages.
    pub flushes: Vec<(u64, u64)>,
    /// Writes to the disk of the file's data: when, and bytes.
    pub data: Vec<(u64, u64)>,
    /// Other writes to the disk: when, and bytes.
    pub metadata: Vec<(u64, u64)>,
    /// When pinlease copied pages, and how many.
    pub snapshots: Vec<(u64, u64)>,
    /// The end of the pin.
    pub unpins: Vec<Span>,
    /// When what was on the disk was read.
    pub looks: Vec<Look>,
    /// When the last of all was over.
    pub end: u64,
}

/// What was on the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// When.
    pub at: u64,
    /// The newest generation in pages that can be read.
    pub newest: Option<u64>,
    /// What became of the pages, if anything was promised by then.
    pub census: Option<Census>,
}

impl Timeline {
    /// Sorts the notes of a record.
    pub fn new(record: &Record) -> Self {
        let mut timeline = Self::default();
        for note in &record.notes {
            timeline.add(note);
        }
        timeline
    }

    fn add(&mut self, note: &Note) {
        let (from, until) = (note.at_us, note.until_us);
        self.end = self.end.max(until);
        match note.what {
            What::DeviceWrite { generation } => {
                self.device.push((until, generation));
                self.bursts.push((from, until));
            }
            What::DeviceAt { generation } => self.running(until, generation),
            What::Fsync => self.fsyncs.push((from, until)),
            What::Flusher { pages } => self.flushes.push((from, pages)),
            What::DiskWrite { bytes, data: true } => self.data.push((from, bytes)),
            What::DiskWrite { bytes, .. } => self.metadata.push((from, bytes)),
            What::Snapshot { copied, .. } => self.snapshots.push((from, copied)),
            What::Unpin => self.unpins.push((from, until)),
            What::Disk(found) => self.looks.push(Look::new(until, found)),
        }
    }

    /// A device that runs is seen now and then; between, it wrote.
    fn running(&mut self, at: u64, generation: u64) {
        match self.bursts.as_mut_slice() {
            [run] => run.1 = at,
            _ => self.bursts = vec![(at, at)],
        }
        self.device.push((at, generation));
    }

    /// The newest generation that the device wrote, or that the disk held.
    pub fn newest(&self) -> u64 {
        let device = self.device.iter().map(|&(_, generation)| generation);
        let disk = self.looks.iter().filter_map(|look| look.newest);
        device.chain(disk).max().unwrap_or(0)
    }

    /// The generation of the device at a moment: the last that was seen.
    pub fn device_at(&self, time: u64) -> u64 {
        let before = self.device.iter().take_while(|&&(at, _)| at <= time);
        before.last().map_or(0, |&(_, generation)| generation)
    }

    /// Whether the device ran by itself, rather than wrote when it was told.
    pub fn runs(&self) -> bool {
        self.bursts.len() < self.device.len()
    }

    /// Until when it is drawn, so that one sees what it ended with.
    pub fn shown(&self) -> u64 {
        self.end + self.end / 16
    }

    /// What the disk held: parts of a staircase, between which nothing could be
    /// read. Each is of moments and generations.
    pub fn disk(&self) -> Vec<Vec<(u64, u64)>> {
        let mut parts: Vec<Vec<(u64, u64)>> = vec![Vec::new()];
        for look in &self.looks {
            match (look.newest, parts.last_mut()) {
                (Some(newest), Some(part)) => part.push((look.at, newest)),
                _ => parts.push(Vec::new()),
            }
        }
        parts.retain(|part| !part.is_empty());
        parts
    }
}

impl Look {
    fn new(at: u64, found: Found) -> Self {
        Self {
            at,
            newest: found.generations.map(|(_, newest)| newest),
            census: found.judged.map(|(_, census)| census),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(at_us: u64, until_us: u64, what: What) -> Note {
        Note {
            at_us,
            until_us,
            what,
        }
    }

    fn look(at: u64, generations: Option<(u64, u64)>) -> Note {
        let judged = None;
        note(
            at,
            at,
            What::Disk(Found {
                generations,
                judged,
            }),
        )
    }

    fn timeline(notes: Vec<Note>) -> Timeline {
        Timeline::new(&Record {
            notes,
            ..Record::default()
        })
    }

    #[test]
    fn single_writes_count_when_they_are_over() {
        let write = |at, until, generation| note(at, until, What::DeviceWrite { generation });
        let timeline = timeline(vec![write(1, 3, 1), write(7, 9, 2)]);
        assert_eq!(timeline.bursts, [(1, 3), (7, 9)]);
        assert_eq!(
            [2, 3, 8, 9].map(|time| timeline.device_at(time)),
            [0, 1, 1, 2]
        );
        assert!(!timeline.runs());
        assert_eq!((timeline.newest(), timeline.end), (2, 9));
        assert!(timeline.shown() >= timeline.end);
    }

    #[test]
    fn a_running_device_is_one_burst() {
        let at = |time, generation| note(time, time, What::DeviceAt { generation });
        let timeline = timeline(vec![at(5, 1), at(9, 40), at(20, 90)]);
        assert_eq!(timeline.bursts, [(5, 20)]);
        assert!(timeline.runs());
        assert_eq!(timeline.device_at(10), 40);
    }

    #[test]
    fn the_staircase_has_gaps_where_nothing_could_be_read() {
        let timeline = timeline(vec![
            look(1, Some((0, 0))),
            look(2, Some((1, 2))),
            look(3, None),
            look(4, Some((5, 5))),
        ]);
        assert_eq!(timeline.disk(), [vec![(1, 0), (2, 2)], vec![(4, 5)]]);
    }

    #[test]
    fn writes_by_what_they_are_of() {
        let write = |data| note(4, 4, What::DiskWrite { bytes: 512, data });
        let timeline = timeline(vec![write(true), write(false), write(false)]);
        assert_eq!((timeline.data.len(), timeline.metadata.len()), (1, 2));
    }
}
