// SPDX-License-Identifier: GPL-2.0
//! `pinlease watch`.

use std::{
    collections::HashMap,
    io::{stdout, Write},
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use pinlease::{Device, Event, EventKind, ReadError};

use crate::{
    event_line::{EventLine, Now},
    file_id::FileId,
    row::lossy,
    wait,
};

/// Print what happens to leases, as it happens, until SIGINT or SIGTERM.
///
/// Shows the leases of one's own user; to root, all.
#[derive(Args, Debug)]
pub struct Watch {
    /// Only leases of these files; may be repeated.
    #[arg(long = "path", value_name = "PATH", num_args = 1..)]
    paths: Vec<PathBuf>,
    /// Print a JSON object per line.
    #[arg(long)]
    json: bool,
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
        let end = wait::catch_end()?;
        let watch = device.watch()?;
        watch.set_nonblocking(true)?;
        leases.learn_all()?;
        loop {
            let [ended, _] = wait::for_any([end.as_fd(), watch.as_fd()])?;
            if ended {
                return Ok(ExitCode::SUCCESS);
            }
            let events = match watch.read_events() {
                Ok(events) => events,
                Err(ReadError::WouldBlock | ReadError::Interrupted) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in events {
                self.print(&event, &mut leases)?;
            }
        }
    }

    fn print(&self, event: &Event, leases: &mut Known<'_>) -> Result<()> {
        let lost = matches!(event.kind, EventKind::Overflow { .. });
        let lease = leases.get(event.lease)?;
        if lease.wanted || lost {
            let line = EventLine::new(event, lease.path.as_deref(), Now::get());
            let mut out = stdout().lock();
            if self.json {
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{line}")?;
            }
            out.flush()?;
        }
        if event.kind == EventKind::Released {
            leases.forget(event.lease);
        }
        Ok(())
    }
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
