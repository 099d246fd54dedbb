// SPDX-License-Identifier: GPL-2.0

//! What a device has and does, under the engine's mutex.

use crate::{
    common::{Memory, Pages},
    hardware::{Hardware, Transfer},
    job::Job,
    mapping::Mapping,
    registers::Registers,
};
use kernel::prelude::*;

pub(crate) struct State {
    /// `None` once the driver is unbound.
    pub(crate) hardware: Option<Hardware>,
    /// Whether somebody has it open.
    pub(crate) claimed: bool,
    pub(crate) user: User,
}

/// What whoever has it open did with it.
#[derive(Default)]
pub(crate) struct User {
    pub(crate) memory: Stage,
    pub(crate) mapping: Option<Mapping>,
    /// A device with a job has begun its transfer.
    pub(crate) work: Option<(Job, Transfer)>,
    pub(crate) completed: u64,
    pub(crate) passes: u64,
    pub(crate) transfers: u64,
    pub(crate) revoked: bool,
    pub(crate) conduct: Conduct,
}

/// What the driver does when it is revoked: all of it, but for tests.
#[derive(Clone, Copy)]
pub(crate) struct Conduct {
    /// Waits until the device is idle.
    pub(crate) stops: bool,
    /// Unmaps; it does if it stops.
    pub(crate) unmaps: bool,
    /// Waits until an IOMMU has forgotten the addresses.
    pub(crate) flushes: bool,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            stops: true,
            unmaps: true,
            flushes: true,
        }
    }
}

/// The memory, which it is given once.
#[derive(Default)]
pub(crate) enum Stage {
    #[default]
    Empty,
    /// Somebody is about to give it.
    Coming,
    Here(#[expect(dead_code, reason = "held for what dropping it does")] Memory),
}

impl State {
    /// What it can be told to write. Errors: `ENODEV`, `EIO`, `ENXIO`.
    pub(crate) fn usable(&self) -> Result<&Mapping> {
        let hardware = self.hardware.as_ref().ok_or(ENODEV)?;
        if self.user.revoked && self.user.conduct.stops {
            return Err(ENODEV);
        }
        hardware.is_usable()?;
        self.user.mapping.as_ref().ok_or(ENXIO)
    }

    /// Errors: `ENODEV` when the memory was revoked, or the device is gone; `ENOMEM`.
    pub(crate) fn map(&self, pages: &Pages, flush: bool) -> Result<Mapping> {
        let hardware = self.hardware.as_ref().ok_or(ENODEV)?;
        if self.user.revoked {
            return Err(ENODEV);
        }
        // SAFETY: The mapping goes before the device is unbound (`retire`), and before the memory
        // does (`revoke`, `release`).
        unsafe { Mapping::new(&hardware.device, pages, flush) }
    }

    /// Begins the job's next transfer. Errors: `ENODEV`, `EIO`.
    pub(crate) fn begin(&mut self, registers: &Registers, job: Job) -> Result {
        let (Some(hardware), Some(mapping)) = (&mut self.hardware, &self.user.mapping) else {
            return Err(ENODEV);
        };
        let stamp = job.stamp();
        let target = mapping.address(stamp.page).ok_or(EINVAL)?;
        let transfer = hardware.begin(registers, stamp, target)?;
        self.user.work = Some((job, transfer));
        Ok(())
    }

    /// Takes note of the transfer that is over; the device has no job after this. Returns the job,
    /// if there is more to do.
    pub(crate) fn end_transfer(&mut self) -> Option<Job> {
        let (mut job, transfer) = self.user.work.take()?;
        let (hardware, mapping) = (self.hardware.as_mut()?, self.user.mapping.as_ref()?);
        if hardware.end(transfer, mapping).is_some() {
            self.user.transfers += 1;
            if let Some(generation) = job.advance() {
                self.user.passes += 1;
                self.user.completed = generation;
            }
        }
        (!job.is_over()).then_some(job)
    }

    /// The device does not do what it was told.
    pub(crate) fn fail(&mut self, error: Error) {
        self.user.work = None;
        if let Some(hardware) = &mut self.hardware {
            hardware.cut_off(error);
        }
    }

    /// Waits until the device accesses no memory. May sleep.
    pub(crate) fn stop(&mut self, registers: &Registers) {
        let Some(hardware) = &mut self.hardware else {
            return;
        };
        if self.user.work.is_none() {
            return;
        }
        match hardware.stop(registers) {
            true => drop(self.end_transfer()),
            false => self.user.work = None,
        }
    }

    /// The memory goes when this returns. May sleep.
    pub(crate) fn revoke(&mut self, registers: &Registers) {
        self.user.revoked = true;
        if self.user.conduct.stops {
            self.stop(registers);
            self.user.mapping = None;
        } else if let (true, Some(mapping)) = (self.user.conduct.unmaps, &mut self.user.mapping) {
            mapping.unmap();
        }
    }
}
