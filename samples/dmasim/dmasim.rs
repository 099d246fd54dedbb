// SPDX-License-Identifier: GPL-2.0

//! dmasim: a DMA engine made of software, see `dmasim.h`.
//!
//! A user of pinlease's C ABI as a driver would be, and, with `DMASIM_IOC_PIN_RAW`, of what stock
//! kernels offer instead.

mod bindings;
#[path = "../common/mod.rs"]
mod common;
mod engine;
mod fill;

use common::{
    argument::{arguments, read, write},
    Attachment, Memory, Pages, RawPin,
};
use engine::{Thread, LAST_GENERATION};
use kernel::{
    fs::File,
    ioctl::{_IO, _IOR, _IOW},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};

module! {
    type: Dmasim,
    name: "dmasim",
    authors: ["The pinlease authors"],
    description: "A DMA engine made of software",
    license: "GPL v2",
}

#[pin_data]
struct Dmasim {
    #[pin]
    _device: MiscDeviceRegistration<Engine>,
}

impl kernel::InPlaceModule for Dmasim {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"dmasim" }),
        })
    }
}

/// One open of `/dev/dmasim`.
#[pin_data]
struct Engine {
    #[pin]
    state: Mutex<State>,
}

/// What an engine has.
///
/// Lock order: the engine's mutex is taken by the revoke callback, hence memory is let go without
/// it.
#[derive(Default)]
struct State {
    thread: Option<Thread>,
    pages: Option<Arc<Pages>>,
    memory: Option<Memory>,
    /// Generation of the last complete write or pass.
    completed: u64,
    passes: u64,
    revoked: bool,
}

const TYPE: u32 = bindings::DMASIM_IOC_TYPE;
const ATTACH: u32 = _IOW::<bindings::dmasim_attach>(TYPE, 0x40);
const PIN_RAW: u32 = _IOW::<bindings::dmasim_pin_raw>(TYPE, 0x41);
const WRITE: u32 = _IOW::<bindings::dmasim_write>(TYPE, 0x42);
const START: u32 = _IOW::<bindings::dmasim_start>(TYPE, 0x43);
const STOP: u32 = _IO(TYPE, 0x44);
const STATUS: u32 = _IOR::<bindings::dmasim_status>(TYPE, 0x45);

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
    let mut state = engine.state.lock();
    state.stop();
    state.pages = None;
    state.revoked = true;
}

#[vtable]
impl MiscDevice for Engine {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self { state <- new_mutex!(State::default()) }),
            GFP_KERNEL,
        )
    }

    fn ioctl(
        engine: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        command: u32,
        argument: usize,
    ) -> Result<isize> {
        match command {
            ATTACH => engine.attach(read(argument)?),
            PIN_RAW => engine.pin_raw(read(argument)?),
            WRITE => engine.write(read(argument)?),
            START => engine.start(read(argument)?),
            STOP => engine.stop(),
            STATUS => write(argument, &engine.status()),
            _ => Err(ENOTTY),
        }
        .map(|()| 0)
    }

    fn release(engine: Arc<Self>, _file: &File) {
        let mut state = engine.state.lock();
        state.stop();
        state.pages = None;
        let memory = state.memory.take();
        drop(state);
        drop(memory);
    }
}

impl Engine {
    fn attach(&self, wanted: bindings::dmasim_attach) -> Result {
        if wanted.reserved != 0 {
            return Err(EINVAL);
        }
        let context = core::ptr::from_ref(self).cast_mut().cast();
        let (lease, pin) = (wanted.lease_fd, wanted.pin_id);
        // SAFETY: The engine is in an `Arc` that its file holds, and lets go of the attachment
        // in `release`.
        let attachment = unsafe { Attachment::new(lease, pin, &OPERATIONS, context) }?;
        // A revoke waits for the lock, so that the table stays while it is read.
        let state = self.state.lock();
        let pages = match state.revoked {
            true => Err(ENODEV),
            false => attachment.pages(),
        };
        drop(state);
        self.give(Memory::Attached(attachment), pages?)
    }

    fn pin_raw(&self, wanted: bindings::dmasim_pin_raw) -> Result {
        const PAGE: u64 = kernel::page::PAGE_SIZE as u64;
        let aligned = (wanted.addr | wanted.length) & (PAGE - 1) == 0;
        let longterm = u64::from(bindings::DMASIM_PIN_RAW_LONGTERM);
        let dirty = u64::from(bindings::DMASIM_PIN_RAW_DIRTY);
        if !aligned || wanted.length == 0 || wanted.flags & !(longterm | dirty) != 0 {
            return Err(EINVAL);
        }
        let pages = (wanted.length / PAGE) as usize;
        let pin = RawPin::new(
            wanted.addr as usize,
            pages,
            wanted.flags & longterm != 0,
            wanted.flags & dirty != 0,
        )?;
        let pages = pin.pages()?;
        self.give(Memory::Raw(pin), pages)
    }

    /// Errors: `EBUSY` when there is memory already, `ENODEV` when it was revoked meanwhile.
    fn give(&self, memory: Memory, pages: Pages) -> Result {
        let pages = Arc::new(pages, GFP_KERNEL)?;
        let mut state = self.state.lock();
        let refusal = if state.memory.is_some() {
            Some(EBUSY)
        } else if state.revoked {
            Some(ENODEV)
        } else {
            None
        };
        if let Some(error) = refusal {
            drop(state);
            drop(memory);
            return Err(error);
        }
        state.memory = Some(memory);
        state.pages = Some(pages);
        Ok(())
    }

    fn write(&self, wanted: bindings::dmasim_write) -> Result {
        let mut state = self.state.lock();
        let pages = state.pages()?;
        let end = wanted.first_page.checked_add(wanted.pages).ok_or(EINVAL)?;
        if wanted.generation > LAST_GENERATION || end > pages.len() {
            return Err(EINVAL);
        }
        for page in wanted.first_page..end {
            pages.write(page, wanted.generation);
        }
        state.completed = wanted.generation;
        Ok(())
    }

    fn start(&self, wanted: bindings::dmasim_start) -> Result {
        const LONGEST_PAUSE: u64 = 60_000_000;
        let mut state = self.state.lock();
        let pages = state.pages()?;
        if wanted.generation > LAST_GENERATION || wanted.pause_us > LONGEST_PAUSE {
            return Err(EINVAL);
        }
        if state.thread.is_some() {
            return Err(EBUSY);
        }
        state.thread = Some(Thread::start(pages, wanted.generation, wanted.pause_us)?);
        Ok(())
    }

    fn stop(&self) -> Result {
        let mut state = self.state.lock();
        state.pages()?;
        state.stop();
        Ok(())
    }

    fn status(&self) -> bindings::dmasim_status {
        let state = self.state.lock();
        let running = state.thread.as_ref().map(|thread| &thread.job);
        bindings::dmasim_status {
            pages: state.pages.as_ref().map_or(0, |pages| pages.len()),
            completed: running
                .and_then(|job| job.completed())
                .unwrap_or(state.completed),
            passes: running.map_or(state.passes, |job| job.passes()),
            state: match (&state.thread, &state.memory) {
                _ if state.revoked => bindings::DMASIM_STATE_REVOKED,
                (Some(_), _) => bindings::DMASIM_STATE_RUNNING,
                (None, Some(_)) => bindings::DMASIM_STATE_IDLE,
                (None, None) => bindings::DMASIM_STATE_EMPTY,
            },
            reserved: 0,
        }
    }
}

impl State {
    /// Errors: `ENODEV` when they were revoked, `ENXIO` when there are none yet.
    fn pages(&self) -> Result<Arc<Pages>> {
        if self.revoked {
            return Err(ENODEV);
        }
        self.pages.clone().ok_or(ENXIO)
    }

    /// Stops the thread, if there is one, and remembers how far it came.
    fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let job = thread.job.clone();
            drop(thread);
            self.passes = job.passes();
            self.completed = job.completed().unwrap_or(self.completed);
        }
    }
}

arguments!(
    dmasim_attach,
    dmasim_pin_raw,
    dmasim_write,
    dmasim_start,
    dmasim_status,
);
