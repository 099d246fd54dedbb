// SPDX-License-Identifier: GPL-2.0

//! What an open of `/dev/edu` has: a device, its memory, and what it is doing.

use crate::{
    bindings,
    common::{Attachment, Memory, Pages, RawPin},
    hardware::Hardware,
    job::{Job, LAST_GENERATION},
    mapping::Mapping,
    registers::Registers,
    state::{Conduct, Stage, State, User},
};
use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    sync::{Arc, CondVar, Mutex},
};

/// A device.
///
/// Lock order: pinlease calls the revoke callback under a lock of the attachment, and it takes the
/// engine's mutex. Hence memory is let go without that.
#[pin_data]
pub(crate) struct Engine {
    pub(crate) registers: Registers,
    /// Where it is on its bus.
    address: u16,
    #[pin]
    state: Mutex<State>,
    /// Something in `state` has changed for which `wait` waits.
    #[pin]
    changed: CondVar,
}

static OPERATIONS: bindings::pinlease_driver_ops = bindings::pinlease_driver_ops {
    revoke: Some(revoke),
};

/// pinlease takes the memory away.
///
/// # Safety
///
/// `context` is an [`Engine`] that has not let go of its attachment.
unsafe extern "C" fn revoke(context: *mut c_void) {
    // SAFETY: As the caller promises.
    let engine: &Engine = unsafe { &*context.cast() };
    engine.state.lock().revoke(&engine.registers);
    engine.changed.notify_all();
}

impl Engine {
    /// Errors: `ENOMEM`.
    pub(crate) fn new(registers: Registers, address: u16, hardware: Hardware) -> Result<Arc<Self>> {
        let state = State {
            hardware: Some(hardware),
            claimed: false,
            user: User::default(),
        };
        Arc::pin_init(
            pin_init!(Self {
                registers,
                address,
                state <- new_mutex!(state),
                changed <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    /// Gives it to the caller, if nobody has it.
    pub(crate) fn claim(&self) -> bool {
        let mut state = self.state.lock();
        state.hardware.is_some() && !core::mem::replace(&mut state.claimed, true)
    }

    /// Takes it back: stops it and lets go of its memory.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock();
        state.stop(&self.registers);
        state.user.mapping = None;
        let memory = core::mem::take(&mut state.user.memory);
        drop(state);
        // No revoke comes after this.
        drop(memory);
        let mut state = self.state.lock();
        state.user = User::default();
        state.claimed = false;
    }

    /// The driver is being unbound: the device accesses no memory after this, and nothing is mapped
    /// for it. May be called again.
    pub(crate) fn retire(&self) {
        let mut state = self.state.lock();
        state.stop(&self.registers);
        state.user.mapping = None;
        if let Some(hardware) = state.hardware.take() {
            hardware.device.silence();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Errors: as `EDU_IOC_ATTACH`.
    pub(crate) fn attach(&self, lease_fd: i32, pin_id: u64, conduct: Conduct) -> Result {
        self.give(conduct, || {
            let context = core::ptr::from_ref(self).cast_mut().cast();
            // SAFETY: The engine is in an `Arc` that its file holds, and lets go of the attachment
            // in `release`, or before it was given one.
            let attachment = unsafe { Attachment::new(lease_fd, pin_id, &OPERATIONS, context) }?;
            // A revoke waits for the lock, so that the table stays while it is read.
            let state = self.state.lock();
            let pages = match state.user.revoked {
                true => Err(ENODEV),
                false => attachment.pages(),
            };
            drop(state);
            Ok((Memory::Attached(attachment), pages?))
        })
    }

    /// Errors: as `EDU_IOC_PIN_RAW`.
    pub(crate) fn pin_raw(&self, address: usize, pages: usize) -> Result {
        self.give(Conduct::default(), || {
            let pin = RawPin::new(address, pages, false, false)?;
            let pages = pin.pages()?;
            Ok((Memory::Raw(pin), pages))
        })
    }

    /// Gives it the memory that `get` gets. Errors: `EBUSY`, `ENODEV`, `ENOMEM`, those of `get`.
    fn give(&self, conduct: Conduct, get: impl FnOnce() -> Result<(Memory, Pages)>) -> Result {
        let mut state = self.state.lock();
        if !matches!(state.user.memory, Stage::Empty) {
            return Err(EBUSY);
        }
        state.user.memory = Stage::Coming;
        drop(state);
        let result = get().and_then(|(memory, pages)| {
            let mut state = self.state.lock();
            let mapping = state.map(&pages, conduct.flushes);
            if mapping.is_err() {
                drop(state);
                drop(memory);
                return mapping.map(drop);
            }
            state.user.mapping = mapping.ok();
            state.user.memory = Stage::Here(memory);
            state.user.conduct = conduct;
            Ok(())
        });
        if result.is_err() {
            // What was attached is detached, and can be revoked no more.
            let mut state = self.state.lock();
            state.user.memory = Stage::Empty;
            state.user.revoked = false;
        }
        result
    }

    /// Errors: as `EDU_IOC_START`.
    pub(crate) fn start(&self, job: Job) -> Result {
        let mut state = self.state.lock();
        let mapped = state.usable()?.len();
        let end = job.first.checked_add(job.pages).ok_or(EINVAL)?;
        if job.pages == 0 || end > mapped || job.generation > LAST_GENERATION {
            return Err(EINVAL);
        }
        if state.user.work.is_some() {
            return Err(EBUSY);
        }
        state.user.passes = 0;
        state.begin(&self.registers, job)
    }

    /// Errors: as `EDU_IOC_WAIT`.
    pub(crate) fn wait(&self, passes: u64) -> Result {
        let mut state = self.state.lock();
        loop {
            state.usable()?;
            if passes != 0 && state.user.passes >= passes {
                return Ok(());
            }
            if state.user.work.is_none() {
                return if passes == 0 { Ok(()) } else { Err(EIO) };
            }
            if self.changed.wait_interruptible(&mut state) {
                return Err(ERESTARTSYS);
            }
        }
    }

    /// Errors: as `EDU_IOC_STOP`.
    pub(crate) fn stop(&self) -> Result {
        let mut state = self.state.lock();
        state.usable()?;
        state.stop(&self.registers);
        self.changed.notify_all();
        Ok(())
    }

    /// What it is doing.
    pub(crate) fn status(&self) -> bindings::edu_status {
        let state = self.state.lock();
        let user = &state.user;
        bindings::edu_status {
            pages: user.mapping.as_ref().map_or(0, Mapping::len),
            completed: user.completed,
            passes: user.passes,
            transfers: user.transfers,
            state: match (&state.hardware, &user.memory, &user.work) {
                (None, ..) => bindings::EDU_STATE_GONE,
                _ if user.revoked => bindings::EDU_STATE_REVOKED,
                (.., Some(_)) => bindings::EDU_STATE_RUNNING,
                (_, Stage::Here(_), None) => bindings::EDU_STATE_IDLE,
                _ => bindings::EDU_STATE_EMPTY,
            },
            device: self.address.into(),
        }
    }

    /// The device has said that it is done, or another one has. May sleep.
    pub(crate) fn on_interrupt(&self) {
        let mut state = self.state.lock();
        if state.user.work.is_none() {
            return;
        }
        // A transfer has begun, so that it is over when none is under way. What an interrupt said
        // may have been seen already.
        let result = match self.registers.is_running() {
            Ok(true) => return,
            Ok(false) => match state.end_transfer() {
                Some(job) => state.begin(&self.registers, job),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            state.fail(error);
        }
        drop(state);
        self.changed.notify_all();
    }
}
