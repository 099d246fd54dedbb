// SPDX-License-Identifier: GPL-2.0
//! What the kernel tells of one file and its disk: the tracepoints that a
//! journal listens to, and what it makes of them.

use std::{
    fs,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use nix::sys::stat::{major, minor};

use super::What;
use crate::{
    harness::Side,
    support::{
        data_blocks::extents_as_they_are,
        tracer::{parse, Traced, Tracer},
        Filesystem, Mapped,
    },
};

const SECTOR: u64 = 512;
const EVENTS: [&str; 2] = ["block/block_bio_queue", "writeback/writeback_single_inode"];
const SNAPSHOT: &str = "pinlease/snapshot";

/// Listens.
#[derive(Debug)]
pub struct Kernel {
    tracer: Tracer,
    subject: Subject,
}

/// Whose events count.
#[derive(Debug)]
struct Subject {
    inode: u64,
    /// As the block layer prints it: `254,0`.
    disk: String,
    /// Where its data is; `None`: what is not marked as metadata is data.
    data: Option<Vec<Range<u64>>>,
}

impl Kernel {
    /// Listens to what happens to `mapped`, which is on `disk`, from now on.
    ///
    /// # Errors
    ///
    /// There is no tracefs, or the filesystem does not tell where the file is.
    pub fn listen(mapped: &Mapped, disk: &Path, side: Side) -> Result<Self> {
        let device = fs::metadata(disk)?.rdev();
        let data = match Filesystem::of(mapped.path())? {
            // Each write goes elsewhere, and all metadata is marked.
            Filesystem::Btrfs => None,
            // What is dirty stays so; nothing moves.
            Filesystem::Ext4 | Filesystem::Xfs => Some(blocks(mapped)?),
        };
        let subject = Subject {
            inode: mapped.file().metadata()?.ino(),
            disk: format!("{},{}", major(device), minor(device)),
            data,
        };
        let mut tracer = Tracer::new("pinlease-journal")?;
        for event in EVENTS {
            tracer.enable(event)?;
        }
        if side != Side::Stock {
            tracer.enable(SNAPSHOT)?;
        }
        Ok(Self { tracer, subject })
    }

    /// All that was heard, and how much was not.
    ///
    /// # Errors
    ///
    /// The trace cannot be read.
    pub fn heard(&self) -> Result<(Vec<(Duration, What)>, u64)> {
        self.tracer.stop()?;
        let text = self.tracer.text()?;
        let heard =
            parse(&text).filter_map(|traced| Some((traced.time, self.subject.heed(traced)?)));
        Ok((heard.collect(), self.tracer.overrun()?))
    }
}

impl Subject {
    fn heed(&self, traced: Traced<'_>) -> Option<What> {
        match traced.event {
            "block_bio_queue" => self.disk_write(traced.text),
            "writeback_single_inode" => self.flusher(traced.text),
            "snapshot" => self.snapshot(traced.text),
            _ => None,
        }
    }

    /// Such as `254,0 WS 2048 + 8 [sh]`.
    fn disk_write(&self, text: &str) -> Option<What> {
        let mut words = text.split_whitespace();
        let (disk, flags) = (words.next()?, words.next()?);
        let first: u64 = words.next()?.parse().ok()?;
        let sectors: u64 = words.nth(1)?.parse().ok()?;
        if disk != self.disk || !flags.contains('W') || sectors == 0 {
            return None;
        }
        let start = first * SECTOR;
        let data = match &self.data {
            Some(ranges) => ranges.iter().any(|range| range.contains(&start)),
            None => !flags.contains('M'),
        };
        Some(What::DiskWrite {
            bytes: sectors * SECTOR,
            data,
        })
    }

    /// Such as `bdi 254:0: ino=12 state=... to_write=1024 wrote=64 ...`.
    fn flusher(&self, text: &str) -> Option<What> {
        let pages = value(text, "wrote=")?;
        (value(text, "ino=")? == self.inode && pages > 0).then_some(What::Flusher { pages })
    }

    /// Such as `dev 254:0 ino 12 sector 8 pages 1 copied 1`.
    fn snapshot(&self, text: &str) -> Option<What> {
        (value(text, " ino ")? == self.inode).then_some(What::Snapshot {
            pages: value(text, " pages ")?,
            copied: value(text, " copied ")?,
        })
    }
}

/// The bytes of the disk where a file is.
fn blocks(mapped: &Mapped) -> Result<Vec<Range<u64>>> {
    let extents = extents_as_they_are(mapped.file())?.into_iter();
    let blocks = extents.map(|extent| extent.physical..extent.physical + extent.length);
    Ok(blocks.collect())
}

/// The number that follows `label`.
fn value(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The disk that a file is on.
///
/// # Errors
///
/// It is on none.
pub fn disk_of(mapped: &Mapped) -> Result<PathBuf> {
    crate::support::source_of(&fs::canonicalize(mapped.path())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(data: Option<Vec<Range<u64>>>) -> Subject {
        Subject {
            inode: 12,
            disk: "254,0".into(),
            data,
        }
    }

    #[test]
    fn writes_to_the_disk() {
        let ext4 = subject(Some(Vec::from([4096..8192, 16384..20480])));
        let write = |bytes, data| Some(What::DiskWrite { bytes, data });
        assert_eq!(ext4.disk_write("254,0 WS 8 + 8 [sh]"), write(4096, true));
        assert_eq!(ext4.disk_write("254,0 WS 16 + 8 [sh]"), write(4096, false));
        assert_eq!(ext4.disk_write("254,16 WS 8 + 8 [sh]"), None);
        assert_eq!(ext4.disk_write("254,0 RS 8 + 8 [sh]"), None);
        // A flush without data.
        assert_eq!(ext4.disk_write("254,0 FWS 0 + 0 [sh]"), None);
        let btrfs = subject(None);
        assert_eq!(btrfs.disk_write("254,0 WS 8 + 8 [sh]"), write(4096, true));
        assert_eq!(btrfs.disk_write("254,0 WSM 8 + 8 [sh]"), write(4096, false));
    }

    #[test]
    fn the_flusher() {
        let of = |inode, pages| {
            format!("bdi 254:0: ino={inode} state=I_SYNC age=1 index=0 to_write=9 wrote={pages} cgroup_ino=1")
        };
        let subject = subject(None);
        assert_eq!(
            subject.flusher(&of(12, 64)),
            Some(What::Flusher { pages: 64 })
        );
        assert_eq!(subject.flusher(&of(12, 0)), None);
        assert_eq!(subject.flusher(&of(13, 64)), None);
    }

    #[test]
    fn snapshots() {
        let subject = subject(None);
        let found = subject.snapshot("dev 254:0 ino 12 sector 8 pages 3 copied 2");
        assert_eq!(
            found,
            Some(What::Snapshot {
                pages: 3,
                copied: 2
            })
        );
        assert_eq!(
            subject.snapshot("dev 254:0 ino 13 sector 8 pages 3 copied 2"),
            None
        );
    }
}
