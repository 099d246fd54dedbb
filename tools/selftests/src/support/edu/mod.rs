// SPDX-License-Identifier: GPL-2.0
//! QEMU's PCI device edu, driven by samples/edu.

pub mod devices;
pub mod rig;

use std::{
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use nix::errno::Errno;
use pinlease::{issue, issue_bare, uapi, Lease};

pub use devices::{Domain, Edus};
pub use rig::{EduRig, Revoked};

/// How long QEMU takes for a transfer.
pub const TRANSFER: Duration = Duration::from_millis(100);

/// How long a few transfers may take under emulation.
const PATIENCE: Duration = Duration::from_secs(20);

/// A device; dropping it stops it and lets go of its memory.
#[derive(Debug)]
pub struct Edu(File);

/// What a driver must not do when it is revoked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fault {
    /// Nothing: it stops, unmaps, and an IOMMU forgets the addresses.
    #[default]
    None,
    /// It does not stop.
    Rogue,
    /// Nor does it wait until an IOMMU forgets the addresses.
    RogueUnflushed,
    /// Nor does it unmap.
    RogueMapped,
}

/// What a device writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passes {
    /// All pages, once.
    One,
    /// Again and again, always the same.
    Same,
    /// Again and again, a new generation each time.
    Counting,
}

/// What a device is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EduState {
    /// It has no memory yet.
    Empty,
    /// It does nothing.
    Idle,
    /// It writes.
    Running,
    /// pinlease took the memory away.
    Revoked,
    /// It is gone, or not the driver's any more.
    Gone,
}

/// Where a device is.
#[derive(Clone, Copy, Debug)]
pub struct EduStatus {
    /// Generation of the last complete pass.
    pub completed: u64,
    /// Complete passes since it was started.
    pub passes: u64,
    /// Pages written since it was opened.
    pub transfers: u64,
    /// What it is doing.
    pub state: EduState,
    /// Its bus, device and function.
    pub address: u32,
}

impl Edu {
    /// Any device that nobody has.
    ///
    /// # Errors
    ///
    /// ENODEV: there are none; EBUSY: none is free; ENOENT: samples/edu is not
    /// loaded.
    pub fn open() -> nix::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/edu");
        match file {
            Ok(file) => Ok(Self(file)),
            Err(error) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        }
    }

    /// Gives it a pin of `lease`.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_ATTACH`.
    pub fn attach(&self, lease: &Lease, pin_id: u64, fault: Fault) -> nix::Result<()> {
        let flags = match fault {
            Fault::None => 0,
            Fault::Rogue => uapi::EDU_ATTACH_ROGUE,
            Fault::RogueUnflushed => uapi::EDU_ATTACH_ROGUE | uapi::EDU_ATTACH_NO_FLUSH,
            Fault::RogueMapped => uapi::EDU_ATTACH_ROGUE | uapi::EDU_ATTACH_NO_UNMAP,
        };
        self.attach_raw(lease.as_fd().as_raw_fd(), pin_id, flags)
    }

    /// The same, of whatever the descriptor is.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_ATTACH`.
    pub fn attach_raw(&self, lease_fd: i32, pin_id: u64, flags: u32) -> nix::Result<()> {
        let mut attach = uapi::edu_attach {
            lease_fd,
            flags,
            pin_id,
        };
        issue(self.0.as_fd(), &mut attach).map(drop)
    }

    /// Gives it memory without a lease, as drivers do today.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_PIN_RAW`.
    pub fn pin_raw(&self, address: *const u8, length: usize) -> nix::Result<()> {
        let mut pin = uapi::edu_pin_raw {
            addr: address.addr() as u64,
            length: length as u64,
        };
        issue(self.0.as_fd(), &mut pin).map(drop)
    }

    /// Begins to write pages.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_START`.
    pub fn start(
        &self,
        first_page: u64,
        pages: u64,
        generation: u64,
        passes: Passes,
    ) -> nix::Result<()> {
        let flags = match passes {
            Passes::One => 0,
            Passes::Same => uapi::EDU_START_REPEAT,
            Passes::Counting => uapi::EDU_START_REPEAT | uapi::EDU_START_COUNT,
        };
        let mut start = uapi::edu_start {
            first_page,
            pages,
            generation,
            flags,
            reserved: 0,
        };
        issue(self.0.as_fd(), &mut start).map(drop)
    }

    /// Waits until so many passes are complete, or for 0 until it is idle.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_WAIT`.
    pub fn wait(&self, passes: u64) -> nix::Result<()> {
        issue(self.0.as_fd(), &mut uapi::edu_wait { passes }).map(drop)
    }

    /// Writes pages once.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_START` and `EDU_IOC_WAIT`.
    pub fn write(&self, first_page: u64, pages: u64, generation: u64) -> nix::Result<()> {
        self.start(first_page, pages, generation, Passes::One)?;
        self.wait(0)
    }

    /// Stops it; it may be started again.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_STOP`.
    pub fn stop(&self) -> nix::Result<()> {
        issue_bare(self.0.as_fd(), uapi::EDU_IOC_STOP_NR)
    }

    /// Where it is.
    ///
    /// # Errors
    ///
    /// As `EDU_IOC_STATUS`, or a state that is not known.
    pub fn status(&self) -> Result<EduStatus> {
        let mut status = uapi::edu_status::default();
        issue(self.0.as_fd(), &mut status).context("status of the device")?;
        Ok(EduStatus {
            completed: status.completed,
            passes: status.passes,
            transfers: status.transfers,
            state: match status.state {
                uapi::EDU_STATE_EMPTY => EduState::Empty,
                uapi::EDU_STATE_IDLE => EduState::Idle,
                uapi::EDU_STATE_RUNNING => EduState::Running,
                uapi::EDU_STATE_REVOKED => EduState::Revoked,
                uapi::EDU_STATE_GONE => EduState::Gone,
                other => bail!("the device is in unknown state {other}"),
            },
            address: status.device,
        })
    }

    /// Waits until it has written one more page.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn next_transfer(&self) -> Result<()> {
        let begin = Instant::now();
        let before = self.status()?.transfers;
        while self.status()?.transfers == before {
            ensure!(begin.elapsed() < PATIENCE, "the device writes nothing");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
