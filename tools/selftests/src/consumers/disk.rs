// SPDX-License-Identifier: GPL-2.0
//! fio reads a disk, over and over, into one buffer, which is as long as what it
//! reads: what the disk has there arrives in the buffer.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{Equipment, Layout};
use crate::{
    harness::{skip, Context},
    support::{command::output, page_size, stamp, Program},
};

/// Pages that fio reads at a time.
const PAGES: u64 = 64;

/// fio.
#[derive(Debug)]
struct Fio {
    /// What it reads; `None`: the file itself.
    source: Option<PathBuf>,
    /// The engine's options.
    engine: &'static [&'static str],
    /// The generation that the disk holds.
    published: u64,
}

/// Buffers that are pinned once, and are never made dirty after a read.
const REGISTERED: &[&str] = &["--ioengine=io_uring", "--fixedbufs=1"];
/// Buffers that are pinned for each read.
const EACH_READ: &[&str] = &["--ioengine=psync"];

/// With registered buffers.
pub fn registered(context: &Context) -> Result<Box<dyn Equipment>> {
    fio(Some(context.device()?.clone()), REGISTERED)
}

/// With registered buffers, in the file that is read.
pub fn same_file(_: &Context) -> Result<Box<dyn Equipment>> {
    fio(None, REGISTERED)
}

/// With buffers that are pinned for each read.
pub fn direct_virtio(context: &Context) -> Result<Box<dyn Equipment>> {
    fio(Some(context.device()?.clone()), EACH_READ)
}

/// The same, from the disk whose driver maps memory for DMA.
pub fn direct_nvme(context: &Context) -> Result<Box<dyn Equipment>> {
    if !context.nvme.exists() {
        return skip(format!("needs the NVMe disk {}", context.nvme.display()));
    }
    fio(Some(context.nvme.clone()), EACH_READ)
}

fn fio(source: Option<PathBuf>, engine: &'static [&'static str]) -> Result<Box<dyn Equipment>> {
    output("fio", &["--version"])?;
    Ok(Box::new(Fio {
        source,
        engine,
        published: 0,
    }))
}

impl Fio {
    fn new_command(&self, source: &Path) -> Command {
        let mut command = Command::new("fio");
        let bytes = PAGES * page_size() as u64;
        command
            .args(["--name=consumer", "--thread", "--direct=1", "--rw=read"])
            .args(["--iodepth=1", "--eta=never", "--time_based"])
            .args(self.engine)
            .arg(format!("--bs={bytes}"))
            .arg(format!("--size={bytes}"))
            .arg(format!("--filename={}", source.display()))
            // Between two reads, so that others get on, too.
            .arg("--thinktime=20ms");
        command
    }
}

impl Equipment for Fio {
    fn layout(&self) -> Layout {
        // fio maps two pages more than its buffer, to align it for direct I/O.
        Layout::whole(PAGES + 2, 0..PAGES)
    }

    fn command(&self, memory: &Path) -> Command {
        let mut command = self.new_command(self.source.as_deref().unwrap_or(memory));
        command.arg("--runtime=1h");
        command.arg(format!("--mem=mmapshared:{}", memory.display()));
        command
    }

    fn publish(&mut self, _: &mut Program, generation: u64) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        if self.published == generation {
            return Ok(());
        }
        let disk = OpenOptions::new().write(true).open(source)?;
        for page in 0..PAGES {
            let mut bytes = vec![0; page_size()];
            stamp(&mut bytes, page, generation);
            disk.write_all_at(&bytes, page * page_size() as u64)?;
        }
        disk.sync_all().context("writing the disk")?;
        self.published = generation;
        Ok(())
    }

    fn with_anonymous_memory(&mut self) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        let mut command = self.new_command(source);
        command.arg("--runtime=1s");
        let arguments: Vec<_> = command.get_args().collect();
        output("fio", &arguments)?;
        Ok(())
    }
}
