// SPDX-License-Identifier: GPL-2.0
//! A trace buffer of our own, so that nobody else's tracing is disturbed.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    process,
};

use anyhow::{anyhow, Context, Result};
use nix::fcntl::OFlag;

use super::Line;

const INSTANCES: &str = "/sys/kernel/tracing/instances";

/// What our buffers are called, before the number of the process.
const PREFIX: &str = "pinlease-watch-";

/// A buffer into which all tracepoints of pinlease go; it is removed when this is dropped.
#[derive(Debug)]
pub struct Instance {
    // Closed before the folder is removed, which is refused otherwise.
    pipe: Option<File>,
    folder: Folder,
    /// The beginning of a line whose end was not there yet.
    pending: Vec<u8>,
}

/// The folder of the buffer.
#[derive(Debug)]
struct Folder(PathBuf);

impl Instance {
    /// Makes one, and begins to trace.
    pub fn new() -> Result<Self> {
        remove_orphans();
        let path = Path::new(INSTANCES).join(format!("{PREFIX}{}", process::id()));
        fs::create_dir(&path).map_err(|error| why_not(&error))?;
        let folder = Folder(path);
        // The clock of events.
        folder.write("trace_clock", "mono")?;
        // poll(2) shall not wait until the buffer is half full.
        folder.write("buffer_percent", "0")?;
        folder.write("events/pinlease/enable", "1")?;
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(folder.0.join("trace_pipe"))
            .context("trace_pipe")?;
        Ok(Self {
            pipe: Some(pipe),
            folder,
            pending: Vec::new(),
        })
    }

    /// What was traced since the last call; does not wait.
    pub fn lines(&mut self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut buffer = [0; 16384];
        let Some(mut pipe) = self.pipe.as_ref() else {
            return Ok(lines);
        };
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return Ok(lines),
                Ok(length) => self.pending.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(lines),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading the trace"),
            }
            while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                lines.extend(Line::parse(&line[..end]));
            }
        }
    }

    /// What becomes readable when something was traced.
    pub fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.pipe = None;
        if let Err(error) = self.folder.remove() {
            let folder = self.folder.0.display();
            eprintln!("pinlease: a trace buffer stays: {error}; remove it by 'rmdir {folder}'");
        }
    }
}

impl Folder {
    fn write(&self, name: &str, value: &str) -> Result<()> {
        let written = fs::write(self.0.join(name), value);
        let written = written.with_context(|| format!("tracefs: {name}"));
        // Nobody else will.
        written.inspect_err(|_| drop(self.remove()))
    }

    fn remove(&self) -> std::io::Result<()> {
        // Not necessary, but else each tracepoint is disabled with the buffer, one after the other.
        let _ = fs::write(self.0.join("events/pinlease/enable"), "0");
        fs::remove_dir(&self.0)
    }
}

/// Removes what commands left that were killed. Those of living ones are in use, and stay.
fn remove_orphans() {
    let Ok(entries) = fs::read_dir(INSTANCES) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Says what to do about it.
fn why_not(error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            anyhow!(
                "cannot trace: tracefs is for root, and closed where the kernel is locked down; \
                 run as root, or leave --trace out"
            )
        }
        ErrorKind::NotFound => anyhow!(
            "cannot trace: {INSTANCES} is not there; 'mount -t tracefs tracefs /sys/kernel/tracing'"
        ),
        _ => anyhow!("cannot make a trace buffer in {INSTANCES}: {error}"),
    }
}
