// SPDX-License-Identifier: GPL-2.0
//! What all of these tests have in common: a device that writes into a file,
//! and an fsync that may fail.

use std::path::Path;

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;
use pinlease::{Device, Event, EventKind, ReadError, State, Watch};

use crate::{
    harness::{Context, Side},
    support::{
        data_blocks,
        expect::{from_io, one_of},
        page_size,
        sysctl::{idle_flusher, Sysctl},
        FaultyDisk, Fill, Layer, Requirement, Rig, RigOptions, Scratch,
    },
};

/// A device that has written generation 1, which is on the disk.
#[derive(Debug)]
pub struct Story {
    pub rig: Rig,
    side: Side,
    watch: Option<Watch>,
}

/// A story on a small disk that can fail, where neither the tick nor the flusher
/// comes between.
#[derive(Debug)]
pub struct Ground {
    // Dropped in this order.
    pub story: Story,
    pub scratch: Scratch,
    pub disk: FaultyDisk,
    _quiet: [Sysctl; 2],
}

impl Ground {
    /// Makes the filesystem, and the file on it.
    pub fn new(context: &Context) -> Result<Self> {
        context.load_modules()?;
        let quiet = idle_flusher()?;
        let disk = FaultyDisk::over(context.device()?)?;
        let scratch = Scratch::new(disk.path(), context.filesystem()?, Layer::Plain)?;
        Ok(Self {
            story: Story::begin(context, &scratch.dir().join("f"))?,
            scratch,
            disk,
            _quiet: quiet,
        })
    }

    /// The blocks of the file can be neither read nor written any more.
    pub fn fail_data(&self) -> Result<()> {
        let file = self.story.rig.mapped.file();
        let blocks = data_blocks(file, self.scratch.filesystem(), self.disk.path())?;
        self.disk.fail_blocks(&blocks)
    }
}

/// How an fsync ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fsync {
    /// It returned 0, and the disk has what the device wrote.
    Saved,
    /// It failed, and the lease was told.
    Failed(Errno),
}

impl Story {
    /// Makes the file and writes generation 1.
    pub fn begin(context: &Context, path: &Path) -> Result<Self> {
        let rig = RigOptions::new(context.side, context.pages, Fill::Faulted).build(path)?;
        let mut watch = None;
        if let Ok(lease) = rig.lease() {
            lease.set_nonblocking(true)?;
            let new = watch.insert(Device::open()?.watch()?);
            new.set_nonblocking(true)?;
        }
        let story = Self {
            rig,
            side: context.side,
            watch,
        };
        story.rig.engine.write_all(1)?;
        story.rig.fsync()?;
        story.rig.census(Requirement::Exactly(1))?.all_kept()?;
        story.untold()?;
        Ok(story)
    }

    /// While it cannot be saved: the device writes `generation`, and fsync
    /// either saves it or says why it cannot, one of `causes`.
    ///
    /// On the stock side nobody notices.
    pub fn fsync(&self, generation: u64, causes: &[Errno]) -> Result<Fsync> {
        self.rig.engine.write_all(generation)?;
        let result = from_io(self.rig.mapped.file().sync_all());
        println!("fsync of generation {generation}: {result:?}");
        if self.side == Side::Stock {
            ensure!(result.is_ok(), "the control notices: {result:?}");
            return Ok(Fsync::Saved);
        }
        let Err(errno) = result else {
            self.rig
                .census(Requirement::Exactly(generation))?
                .all_kept()?;
            self.untold()?;
            return Ok(Fsync::Saved);
        };
        one_of("fsync", Err::<(), _>(errno), causes)?;
        self.told(errno)?;
        self.lives()?;
        Ok(Fsync::Failed(errno))
    }

    /// The cause is gone: what the device wrote last, `generation`, is saved by
    /// the next fsync, and so is what it writes then; on the stock side it is
    /// lost.
    pub fn is_saved(&self, generation: u64) -> Result<()> {
        self.rig.fsync().context("with the cause gone")?;
        if self.side == Side::Stock {
            let census = self.rig.census(Requirement::Exactly(generation))?;
            ensure!(census.kept == 0, "the control loses nothing: {census}");
            return Ok(());
        }
        self.rig
            .census(Requirement::Exactly(generation))?
            .all_kept()?;
        self.rig.engine.write_all(generation + 1)?;
        self.rig.fsync()?;
        self.rig
            .census(Requirement::Exactly(generation + 1))?
            .all_kept()?;
        self.untold()
    }

    /// The pin stays.
    pub fn lives(&self) -> Result<()> {
        let query = self.rig.lease()?.query()?;
        ensure!(query.state == State::Held, "the lease is {}", query.state);
        let bytes = self.rig.mapped.length() as u64;
        let (pinned, expected) = match self.side {
            Side::Grant => (query.granted_bytes, bytes),
            _ => (query.pinned_bytes, bytes),
        };
        ensure!(pinned == expected, "{pinned} bytes are pinned");
        let pages = self.rig.engine.status()?.pages;
        ensure!(pages == self.rig.mapped.pages(), "the device has {pages}");
        Ok(())
    }

    /// One event, on the lease and on a watch, tells of `errno`.
    fn told(&self, errno: Errno) -> Result<()> {
        let on_lease = self.errors()?;
        ensure!(on_lease.len() == 1, "events of the lease: {on_lease:?}");
        let event = &on_lease[0];
        println!("event: {:?} {},{}", event.kind, event.offset, event.length);
        let cause = match errno {
            Errno::ENOSPC | Errno::EDQUOT => errno,
            _ => Errno::EIO,
        };
        ensure!(event.kind == EventKind::Error { errno: cause }, "{event:?}");
        let end = event.offset + event.length;
        let within = event.offset < end && end <= self.rig.mapped.length() as u64;
        let aligned = (event.offset | event.length) % page_size() as u64 == 0;
        ensure!(within && aligned, "{event:?}");
        let watch = self.watch.as_ref().context("no watch")?;
        let on_watch = errors_of(watch.read_events())?;
        ensure!(on_watch == on_lease, "the watch says {on_watch:?}");
        Ok(())
    }

    /// No event tells of an error.
    fn untold(&self) -> Result<()> {
        if self.side == Side::Stock {
            return Ok(());
        }
        let events = self.errors()?;
        ensure!(events.is_empty(), "{events:?}");
        Ok(())
    }

    /// An fsync that may say what was before, and its event.
    pub fn ignore_fsync(&self) -> Result<()> {
        let result = from_io(self.rig.mapped.file().sync_all());
        println!("fsync that does not count: {result:?}");
        if self.side != Side::Stock {
            self.errors()?;
        }
        Ok(())
    }

    /// The errors that the lease tells of now.
    pub fn errors(&self) -> Result<Vec<Event>> {
        errors_of(self.rig.lease()?.read_events())
    }
}

fn errors_of(events: Result<Vec<Event>, ReadError>) -> Result<Vec<Event>> {
    let mut events = match events {
        Err(ReadError::WouldBlock) => Vec::new(),
        other => other?,
    };
    events.retain(|event| matches!(event.kind, EventKind::Error { .. }));
    Ok(events)
}
