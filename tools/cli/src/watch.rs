// SPDX-License-Identifier: GPL-2.0
//! `pinlease watch`.

use std::{
    collections::HashMap,
    fmt::Display,
    io::{self, stdout, Write},
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use pinlease::{Device, Event, EventKind, ReadError};
use serde::Serialize;

use crate::{
    event_line::{EventLine, Now},
    file_id::FileId,
    row::lossy,
    tracing::{Instance, Line},
    wait,
};

/// Print what happens to leases, as it happens, until SIGINT or SIGTERM.
///
/// Shows the leases of one's own user; to root, all. With --trace lines of the module's tracepoints come
/// between them, from a trace buffer of the command's own, which is removed when it ends.
#[derive(Args, Debug)]
pub struct Watch {
    /// Only leases of these files; may be repeated.
    #[arg(long = "path", value_name = "PATH", num_args = 1..)]
    paths: Vec<PathBuf>,
    /// Print a JSON object per line.
    #[arg(long)]
    json: bool,
    /// Also print the module's tracepoints; only for root.
    #[arg(long)]
    trace: bool,
}

/// What is printed.
enum Item {
    Event(Event),
    Trace(Line),
}

impl Item {
    /// When it happened, CLOCK_MONOTONIC.
    fn time(&self) -> Duration {
        match self {
            Self::Event(event) => event.time,
            Self::Trace(line) => line.time,
        }
    }
}

impl Watch {
    /// Prints events.
    pub fn run(self) -> Result<ExitCode> {
        let device = Device::open()?;
        let mut leases = Known {
            files: self
                .paths
                .iter()
                .map(|path| FileId::of(path))
                .collect::<Result<_>>()?,
            device: &device,
            leases: HashMap::new(),
        };
        let end = match self.trace {
            true => wait::catch_every_end()?,
            false => wait::catch_end()?,
        };
        let mut trace = self.trace.then(Instance::new).transpose()?;
        let watch = device.watch()?;
        watch.set_nonblocking(true)?;
        leases.learn_all()?;
        loop {
            let traced = trace.as_ref().and_then(Instance::readable);
            let traced = traced.unwrap_or(watch.as_fd());
            let [ended, _, _] = wait::for_any([end.as_fd(), watch.as_fd(), traced])?;
            if ended {
                return Ok(ExitCode::SUCCESS);
            }
            let items = gather(&watch, trace.as_mut())?;
            match items.iter().try_for_each(|item| match item {
                Item::Event(event) => self.print(event, &mut leases),
                Item::Trace(line) => self.print_trace(line, &leases),
            }) {
                Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
                printed => printed?,
            }
        }
    }

    fn print_trace(&self, line: &Line, leases: &Known<'_>) -> Result<()> {
        if !leases.files.is_empty() && !line.is_of_any(&leases.files) {
            return Ok(());
        }
        let line = line.traced(Now::get());
        self.put(&line)
    }

    /// Prints one line.
    fn put(&self, line: &(impl Serialize + Display)) -> Result<()> {
        let mut out = stdout().lock();
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string(line)?)?,
            false => writeln!(out, "{line}")?,
        }
        Ok(out.flush()?)
    }

    fn print(&self, event: &Event, leases: &mut Known<'_>) -> Result<()> {
        let lost = matches!(event.kind, EventKind::Overflow { .. });
        let lease = leases.get(event.lease)?;
        if lease.wanted || lost {
            let line = EventLine::new(event, lease.path.as_deref(), Now::get());
            self.put(&line)?;
        }
        if event.kind == EventKind::Released {
            leases.forget(event.lease);
        }
        Ok(())
    }
}

/// Everything that there is to print, by time.
fn gather(watch: &pinlease::Watch, trace: Option<&mut Instance>) -> Result<Vec<Item>> {
    // Before the events: of what comes meanwhile, the event can be had the next time.
    let lines = trace.map(Instance::lines).transpose()?.unwrap_or_default();
    let events = match watch.read_events() {
        Ok(events) => events,
        Err(ReadError::WouldBlock | ReadError::Interrupted) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let events = events.into_iter().map(Item::Event);
    let mut items: Vec<Item> = events.chain(lines.into_iter().map(Item::Trace)).collect();
    items.sort_by_key(Item::time);
    Ok(items)
}

/// Whether nobody reads any more what is printed.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What is known of the leases whose events come: these name only ids.
struct Known<'a> {
    device: &'a Device,
    /// The files to be watched; all if there is none.
    files: Vec<FileId>,
    leases: HashMap<u64, KnownLease>,
}

/// What is known of a lease.
#[derive(Clone, Debug)]
struct KnownLease {
    path: Option<String>,
    wanted: bool,
}

impl Known<'_> {
    /// Looks at what is leased now: at its last event a lease is gone.
    fn learn_all(&mut self) -> Result<()> {
        for lease in self.device.leases() {
            let lease = lease?;
            self.learn(lease.id, Some(&lease));
        }
        Ok(())
    }

    fn learn(&mut self, id: u64, lease: Option<&pinlease::LeaseInfo>) -> KnownLease {
        let known = KnownLease {
            path: lease.and_then(|lease| lease.path.as_deref()).map(lossy),
            wanted: self.files.is_empty()
                || lease
                    .is_some_and(|lease| self.files.iter().any(|file| file.is_leased_by(lease))),
        };
        self.leases.insert(id, known.clone());
        known
    }

    /// What is known of a lease, asked for when it is new.
    fn get(&mut self, id: u64) -> Result<KnownLease> {
        if let Some(known) = self.leases.get(&id) {
            return Ok(known.clone());
        }
        let lease = self.device.lease_info(id)?;
        Ok(self.learn(id, lease.as_ref()))
    }

    /// Ids do not come again.
    fn forget(&mut self, id: u64) {
        self.leases.remove(&id);
    }
}
