// SPDX-License-Identifier: GPL-2.0
//! Notes what happens while a scenario runs, for pictures of it.
//!
//! Everything has times of one clock, `CLOCK_MONOTONIC`.  A scenario is given a
//! journal that is closed when nobody wants to know, which costs nothing.

mod chunks;
mod disk;
mod event;
mod kernel;

pub use event::{Found, Note, Record, What};

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use nix::time::{clock_gettime, ClockId};

use self::{
    disk::Disk,
    kernel::{disk_of, Kernel},
};
use super::{Census, DirectReader, Mapped, Requirement, Rig};
use crate::harness::Side;

/// How often the disk is looked at while nothing is done.
const LOOKS: Duration = Duration::from_millis(250);

/// Takes notes, if it is open.
#[derive(Debug, Default)]
pub struct Journal {
    open: bool,
    start: Duration,
    record: Record,
    kernel: Option<Kernel>,
    disk: Option<Disk>,
}

impl Journal {
    /// Takes no notes.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Takes notes once it is told of what.
    pub fn open() -> Self {
        Self {
            open: true,
            ..Self::default()
        }
    }

    /// Notes what happens to a file from now on.  What the kernel does not tell is
    /// missing in the notes, which say so; the scenario goes on.
    pub fn begin(&mut self, mapped: &Mapped, side: Side) {
        if !self.open {
            return;
        }
        let disk = disk_of(mapped);
        self.disk = self.or_complain("disk", disk.as_deref(), |path| Disk::open(path, mapped));
        self.kernel = self.or_complain("tracepoints", disk.as_deref(), |path| {
            Kernel::listen(mapped, path, side)
        });
        self.start = now();
    }

    /// Does something, and notes when it began and ended.
    ///
    /// # Errors
    ///
    /// Its own; nothing is noted then.
    pub fn span<T>(&mut self, what: What, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let from = now();
        let done = act()?;
        self.note(from, what);
        Ok(done)
    }

    /// Has the device write all pages with a generation, and notes it.
    ///
    /// # Errors
    ///
    /// The device fails.
    pub fn device_writes(&mut self, rig: &Rig, generation: u64) -> Result<()> {
        self.span(What::DeviceWrite { generation }, || {
            rig.engine.write_all(generation)
        })
    }

    /// Notes where a device is that writes by itself.
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn device(&mut self, rig: &Rig) -> Result<()> {
        if self.open {
            let generation = rig.engine.status()?.completed;
            self.note(now(), What::DeviceAt { generation });
        }
        Ok(())
    }

    /// Looks at the disk when nobody has promised anything.
    pub fn look(&mut self, mapped: &Mapped) {
        let from = now();
        let Some(disk) = &mut self.disk else { return };
        match disk.generations(mapped) {
            Ok(generations) => {
                let judged = None;
                self.note(
                    from,
                    What::Disk(Found {
                        generations,
                        judged,
                    }),
                );
            }
            // Once is enough.
            Err(error) => {
                self.disk = None;
                self.record.complaints.push(format!("disk: {error:#}"));
            }
        }
    }

    /// Sleeps, and looks at the disk now and then.
    pub fn sleep(&mut self, time: Duration, mapped: &Mapped) {
        let end = Instant::now() + time;
        while self.disk.is_some() && Instant::now() + LOOKS < end {
            thread::sleep(LOOKS);
            self.look(mapped);
        }
        thread::sleep(end.saturating_duration_since(Instant::now()));
    }

    /// Reads a file from the disk, and counts its pages by their fate.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn census(&mut self, mapped: &Mapped, requirement: Requirement) -> Result<Census> {
        let from = now();
        let mut reader = DirectReader::open(mapped.path())?;
        let reading = reader.reading(0, mapped.pages(), 0, requirement)?;
        let found = Found {
            generations: reading.generations,
            judged: Some((requirement.generation(), reading.census)),
        };
        self.note(from, What::Disk(found));
        Ok(reading.census)
    }

    /// All notes.
    pub fn close(mut self) -> Record {
        if let Some(kernel) = self.kernel.take() {
            match kernel.heard() {
                Ok((heard, overrun)) => {
                    self.record.overrun = overrun;
                    let notes = heard.into_iter().filter(|(time, _)| *time >= self.start);
                    let notes = notes.map(|(time, what)| Note::new(self.start, (time, time), what));
                    self.record.notes.extend(notes);
                }
                Err(error) => self
                    .record
                    .complaints
                    .push(format!("tracepoints: {error:#}")),
            }
        }
        self.record.notes.sort_by_key(|note| note.at_us);
        self.record
    }

    fn note(&mut self, from: Duration, what: What) {
        if self.open {
            let note = Note::new(self.start, (from, now()), what);
            self.record.notes.push(note);
        }
    }

    fn or_complain<T>(
        &mut self,
        subject: &str,
        path: std::result::Result<&Path, &anyhow::Error>,
        make: impl FnOnce(&Path) -> Result<T>,
    ) -> Option<T> {
        let made = match path {
            Ok(path) => make(path).map_err(|error| format!("{subject}: {error:#}")),
            Err(error) => Err(format!("{subject}: {error:#}")),
        };
        made.map_err(|complaint| self.record.complaints.push(complaint))
            .ok()
    }
}

/// `CLOCK_MONOTONIC`, which the kernel's trace has too.
fn now() -> Duration {
    // Cannot fail: every Linux has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
