// SPDX-License-Identifier: GPL-2.0

//! dmasim: a DMA engine made of software, see `dmasim.h`.
//!
//! A user of pinlease's C ABI as a driver would be, and, with `DMASIM_IOC_PIN_RAW`, of what stock
//! kernels offer instead.

mod bindings;
#[path = "../common/mod.rs"]
mod common;
mod engine;
mod import;
mod memory;
mod target;

use common::{
    argument::{arguments, read, write},
    Attachment, RawPin,
};
use engine::{Drained, Thread, LAST_GENERATION};
use import::{Fence, Import};
use kernel::{
    device::Device,
    fs::File,
    ioctl::{_IO, _IOR, _IOW},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    new_mutex,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex},
};
use memory::Memory;
use target::Target;

module! {
    type: Dmasim,
    name: "dmasim",
    authors: ["The pinlease authors"],
    description: "A DMA engine made of software",
    license: "GPL v2",
    imports_ns: ["DMA_BUF"],
}

#[pin_data(PinnedDrop)]
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

#[pinned_drop]
impl PinnedDrop for Dmasim {
    fn drop(self: Pin<&mut Self>) {
        // Somebody may be looking at the operations of a fence.
        // SAFETY: May sleep.
        unsafe { bindings::synchronize_rcu() };
    }
}

/// One open of `/dev/dmasim`.
#[pin_data]
struct Engine {
    device: ARef<Device>,
    #[pin]
    state: Mutex<State>,
}

/// What an engine has.
///
/// Lock order: the engine's mutex is taken by the revoke callback, and by that of dma-bufs with their
/// reservation lock held; hence memory is let go without it.
#[derive(Default)]
struct State {
    thread: Option<Thread>,
    pages: Option<Arc<Target>>,
    memory: Option<Memory>,
    /// Of memory that is fenced.
    fenced: Option<Arc<Import>>,
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
const IMPORT: u32 = _IOW::<bindings::dmasim_import>(TYPE, 0x46);

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

static INVALIDATED: bindings::dma_buf_attach_ops = bindings::dma_buf_attach_ops {
    allow_peer2peer: false,
    invalidate_mappings: Some(invalidate),
};

/// The exporter of the dma-buf takes it away.
///
/// # Safety
///
/// `attachment` is that of an [`Engine`] that has not detached; its reservation lock is held.
unsafe extern "C" fn invalidate(attachment: *mut bindings::dma_buf_attachment) {
    // SAFETY: As the caller promises.
    let engine: &Engine = unsafe { &*(*attachment).importer_priv.cast() };
    let mut state = engine.state.lock();
    state.revoked = true;
    state.pages = None;
    if let (Some(thread), Some(_)) = (&state.thread, &state.fenced) {
        // It unmaps when it has signalled its fence.
        return thread.job.drain();
    }
    state.stop();
    // It may come before there is a mapping.
    if let Some(Memory::Imported(import)) = &state.memory {
        // SAFETY: The lock is held, and the thread has stopped.
        unsafe { import.unmap_reserved() };
    }
}

#[vtable]
impl MiscDevice for Engine {
    type Ptr = Arc<Self>;

    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        let device = misc.device();
        import::set_dma_mask(device)?;
        Arc::pin_init(
            try_pin_init!(Self {
                device: device.into(),
                state <- new_mutex!(State::default()),
            }),
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
            IMPORT => engine.import(read(argument)?),
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
        let memory = (state.memory.take(), state.fenced.take());
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
        self.give(attachment.into(), Target::Pages(pages?))
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
        self.give(pin.into(), Target::Pages(pages))
    }

    fn import(&self, wanted: bindings::dmasim_import) -> Result {
        const STATIC: u32 = bindings::DMASIM_IMPORT_STATIC;
        const FENCED: u32 = bindings::DMASIM_IMPORT_FENCED;
        if !matches!(wanted.flags, 0 | STATIC | FENCED) {
            return Err(EINVAL);
        }
        let operations = (wanted.flags != STATIC).then_some(&INVALIDATED);
        let context = core::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: The engine is in an `Arc` that its file holds, and lets go of the import in
        // `release`.
        let import = unsafe { Import::new(wanted.fd, &self.device, operations, context) }?;
        let import = Arc::new(import, GFP_KERNEL)?;
        let reserved = import.reserve();
        // From here on it is not invalidated, so that nothing is missed.
        let pages = reserved.map()?;
        self.give(Memory::Imported(import.clone()), pages)?;
        if wanted.flags == FENCED {
            self.state.lock().fenced = Some(import.clone());
        }
        Ok(())
    }

    /// Errors: `EBUSY` when there is memory already, `ENODEV` when it was revoked meanwhile.
    fn give(&self, memory: Memory, pages: Target) -> Result {
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
        let fenced = self.state.lock().fenced.clone();
        let reserved = fenced.as_ref().map(|import| import.reserve());
        let mut state = self.state.lock();
        let pages = state.pages()?;
        if wanted.generation > LAST_GENERATION || wanted.pause_us > LONGEST_PAUSE {
            return Err(EINVAL);
        }
        if state.thread.is_some() {
            return Err(EBUSY);
        }
        let drained = match (&fenced, &reserved) {
            (Some(import), Some(reserved)) => {
                let fence = Fence::new()?;
                reserved.add_fence(&fence)?;
                Some(Drained {
                    fence,
                    import: import.clone(),
                })
            }
            _ => None,
        };
        let thread = Thread::start(pages, wanted.generation, wanted.pause_us, drained)?;
        state.thread = Some(thread);
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
    fn pages(&self) -> Result<Arc<Target>> {
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
    dmasim_import,
    dmasim_status,
);
