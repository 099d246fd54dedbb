// SPDX-License-Identifier: GPL-2.0
//! dmasim: a DMA engine made of software.

use std::{
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use pinlease::{issue, issue_bare, uapi, Lease};

/// An engine; dropping it stops it and lets go of its memory.
#[derive(Debug)]
pub struct Engine(File);

/// What an engine is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EngineState {
    /// It has no memory yet.
    Empty,
    /// It does nothing.
    Idle,
    /// It writes without end.
    Running,
    /// pinlease took the memory away.
    Revoked,
}

/// Where an engine is.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Pages of its memory.
    pub pages: u64,
    /// Generation of the last complete write or pass.
    pub completed: u64,
    /// Complete passes since it was started.
    pub passes: u64,
    /// What it is doing.
    pub state: EngineState,
}

/// How an engine imports a dma-buf.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Import {
    /// It stops at once when the exporter invalidates its mapping.
    Revocable,
    /// It ends its pass then, and signals a fence.
    Fenced,
    /// It cannot be told.
    Static,
}

impl Engine {
    /// A new engine, without memory.
    ///
    /// # Errors
    ///
    /// The module dmasim is not loaded.
    pub fn open() -> Result<Self> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/dmasim")
            .map(Self)
            .context("opening /dev/dmasim")
    }

    /// Gives it a pin of `lease`.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_ATTACH`.
    pub fn attach(&self, lease: &Lease, pin_id: u64) -> nix::Result<()> {
        let mut attach = uapi::dmasim_attach {
            lease_fd: lease.as_fd().as_raw_fd(),
            pin_id,
            ..Default::default()
        };
        issue(self.0.as_fd(), &mut attach).map(drop)
    }

    /// Gives it a dma-buf.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_IMPORT`.
    pub fn import(&self, buffer: impl AsFd, way: Import) -> nix::Result<()> {
        let mut import = uapi::dmasim_import {
            fd: buffer.as_fd().as_raw_fd(),
            flags: match way {
                Import::Revocable => 0,
                Import::Fenced => uapi::DMASIM_IMPORT_FENCED,
                Import::Static => uapi::DMASIM_IMPORT_STATIC,
            },
        };
        issue(self.0.as_fd(), &mut import).map(drop)
    }

    /// Gives it memory without a lease, as drivers do today.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_PIN_RAW`.
    pub fn pin_raw(&self, address: *const u8, length: usize, longterm: bool) -> nix::Result<()> {
        let mut pin = uapi::dmasim_pin_raw {
            addr: address.addr() as u64,
            length: length as u64,
            flags: if longterm {
                uapi::DMASIM_PIN_RAW_LONGTERM.into()
            } else {
                0
            },
        };
        issue(self.0.as_fd(), &mut pin).map(drop)
    }

    /// Gives it memory without a lease; letting go of it will make the pages
    /// dirty, as many drivers do.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_PIN_RAW`.
    pub fn pin_raw_dirtying(&self, address: *const u8, length: usize) -> nix::Result<()> {
        let mut pin = uapi::dmasim_pin_raw {
            addr: address.addr() as u64,
            length: length as u64,
            flags: uapi::DMASIM_PIN_RAW_DIRTY.into(),
        };
        issue(self.0.as_fd(), &mut pin).map(drop)
    }

    /// Writes pages once.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_WRITE`.
    pub fn write(&self, first_page: u64, pages: u64, generation: u64) -> nix::Result<()> {
        let mut write = uapi::dmasim_write {
            first_page,
            pages,
            generation,
        };
        issue(self.0.as_fd(), &mut write).map(drop)
    }

    /// Writes all pages once.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_WRITE`.
    pub fn write_all(&self, generation: u64) -> Result<()> {
        let pages = self.status()?.pages;
        self.write(0, pages, generation)
            .with_context(|| format!("device write of generation {generation}"))
    }

    /// Begins to write all pages again and again.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_START`.
    pub fn start(&self, generation: u64, pause: Duration) -> nix::Result<()> {
        let mut start = uapi::dmasim_start {
            generation,
            pause_us: pause.as_micros() as u64,
        };
        issue(self.0.as_fd(), &mut start).map(drop)
    }

    /// Stops it; it may be started again.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_STOP`.
    pub fn stop(&self) -> nix::Result<()> {
        issue_bare(self.0.as_fd(), uapi::DMASIM_IOC_STOP_NR)
    }

    /// Where it is.
    ///
    /// # Errors
    ///
    /// As `DMASIM_IOC_STATUS`, or a state that is not known.
    pub fn status(&self) -> Result<Status> {
        let mut status = uapi::dmasim_status::default();
        issue(self.0.as_fd(), &mut status).context("status of the device")?;
        Ok(Status {
            pages: status.pages,
            completed: status.completed,
            passes: status.passes,
            state: match status.state {
                uapi::DMASIM_STATE_EMPTY => EngineState::Empty,
                uapi::DMASIM_STATE_IDLE => EngineState::Idle,
                uapi::DMASIM_STATE_RUNNING => EngineState::Running,
                uapi::DMASIM_STATE_REVOKED => EngineState::Revoked,
                other => anyhow::bail!("the device is in unknown state {other}"),
            },
        })
    }

    /// Waits until a running engine has completed `passes` more passes.
    ///
    /// # Errors
    ///
    /// It does not run, or does nothing for ten seconds.
    pub fn wait_passes(&self, passes: u64) -> Result<Status> {
        let mut last = self.status()?;
        let target = last.passes + passes;
        let mut progress = Instant::now();
        loop {
            let now = self.status()?;
            ensure!(now.state == EngineState::Running, "the device does not run");
            if now.passes >= target {
                return Ok(now);
            }
            if now.passes > last.passes {
                progress = Instant::now();
            }
            ensure!(
                progress.elapsed() < Duration::from_secs(10),
                "the device runs but completes no pass"
            );
            last = now;
            thread::sleep(Duration::from_millis(1));
        }
    }
}
