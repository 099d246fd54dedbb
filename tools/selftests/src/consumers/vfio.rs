// SPDX-License-Identifier: GPL-2.0
//! `vfio-edu`, a program of ours, drives QEMU's edu device: real DMA, through an
//! IOMMU.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{ensure, Context as _, Result};

use super::{Equipment, Layout};
use crate::{
    harness::{skip, Context, Skip},
    support::{command::output, Program},
};

/// Pages of the memory; the device takes a tenth of a second for each.
const PAGES: u64 = 4;

/// Vendor and device.
const EDU: [&str; 2] = ["0x1234", "0x11e8"];

/// How long the device may take for all pages.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Driver {
    /// Where the device is.
    address: String,
    /// The generation that it was told to write.
    published: u64,
}

/// Gives the device to VFIO; it stays there for the next test.
pub fn prepare(_: &Context) -> Result<Box<dyn Equipment>> {
    let Some(address) = find()? else {
        return skip("needs QEMU's edu device behind an IOMMU");
    };
    output("modprobe", &["vfio-pci"]).map_err(|error| Skip(format!("{error:#}")))?;
    let device = Path::new("/sys/bus/pci/devices").join(&address);
    if !device.join("iommu_group").exists() {
        return skip("needs an IOMMU");
    }
    if !device.join("driver").exists() {
        fs::write(device.join("driver_override"), "vfio-pci")?;
        fs::write("/sys/bus/pci/drivers_probe", &address).context("binding vfio-pci")?;
    }
    Ok(Box::new(Driver {
        address,
        published: 0,
    }))
}

fn find() -> Result<Option<String>> {
    for entry in fs::read_dir("/sys/bus/pci/devices")? {
        let entry = entry?;
        let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        if [read("vendor").trim(), read("device").trim()] == EDU {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

impl Driver {
    fn await_line(program: &mut Program, wanted: &str) -> Result<()> {
        let line = program.line_within(PATIENCE)?;
        ensure!(line.as_deref() == Some(wanted), "not '{wanted}': {line:?}");
        Ok(())
    }
}

impl Equipment for Driver {
    fn layout(&self) -> Layout {
        Layout::whole(PAGES, 0..PAGES)
    }

    fn command(&self, memory: &Path) -> Command {
        let mut command = Command::new("vfio-edu");
        command.arg(&self.address).arg(memory);
        command
    }

    fn started(&mut self, program: &mut Program) -> Result<()> {
        Self::await_line(program, "registered")
    }

    fn publish(&mut self, program: &mut Program, generation: u64) -> Result<()> {
        if self.published == generation {
            return Ok(());
        }
        program.say(&generation.to_string())?;
        self.published = generation;
        Self::await_line(program, "received")
    }

    fn with_anonymous_memory(&mut self) -> Result<()> {
        let mut program = Program::start(Command::new("vfio-edu").arg(&self.address))?;
        Self::await_line(&mut program, "registered")?;
        program.say("1")?;
        Self::await_line(&mut program, "received")?;
        program.end_input();
        let (status, text) = program.everything(PATIENCE)?;
        ensure!(status.success(), "{status}: {text}");
        Ok(())
    }
}
