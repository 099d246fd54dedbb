// SPDX-License-Identifier: GPL-2.0

//! pinbench: what pinlease is compared with, see `pinbench.h`.

mod bindings;
mod common;
mod copy;
mod gup;
mod stopwatch;

use common::argument::{arguments, read, write};
use gup::{Memory, Pages};
use kernel::{
    fs::File,
    ioctl::{_IOW, _IOWR},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    new_mutex,
    prelude::*,
    sync::{Arc, ArcBorrow, Mutex},
};

module! {
    type: Pinbench,
    name: "pinbench",
    authors: ["The pinlease authors"],
    description: "What pinlease is compared with",
    license: "GPL v2",
}

#[pin_data]
struct Pinbench {
    #[pin]
    _device: MiscDeviceRegistration<Bench>,
}

impl kernel::InPlaceModule for Pinbench {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"pinbench" }),
        })
    }
}

/// One open of `/dev/pinbench`.
#[pin_data]
struct Bench {
    #[pin]
    pin: Mutex<Option<Pages>>,
}

const TYPE: u32 = bindings::PINBENCH_IOC_TYPE;
const PIN: u32 = _IOW::<bindings::pinbench_pin>(TYPE, 0x60);
const UNPIN: u32 = _IOW::<bindings::pinbench_unpin>(TYPE, 0x61);
const GUP: u32 = _IOWR::<bindings::pinbench_gup>(TYPE, 0x62);
const COPY: u32 = _IOWR::<bindings::pinbench_copy>(TYPE, 0x63);

#[vtable]
impl MiscDevice for Bench {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        // SAFETY: May be asked by every task of itself.
        if !unsafe { bindings::capable(bindings::CAP_IPC_LOCK as c_int) } {
            return Err(EPERM);
        }
        Arc::pin_init(pin_init!(Self { pin <- new_mutex!(None) }), GFP_KERNEL)
    }

    fn ioctl(
        bench: ArcBorrow<'_, Self>,
        _file: &File,
        command: u32,
        argument: usize,
    ) -> Result<isize> {
        match command {
            PIN => bench.pin(read(argument)?),
            UNPIN => bench.unpin(read(argument)?),
            GUP => write(argument, &gup(read(argument)?)?),
            COPY => write(argument, &copy::run(read(argument)?)?),
            _ => Err(ENOTTY),
        }
        .map(|()| 0)
    }
}

impl Bench {
    fn pin(&self, wanted: bindings::pinbench_pin) -> Result {
        let memory = Memory::new(wanted.addr, wanted.length)?;
        let longterm = flag(wanted.flags, bindings::PINBENCH_LONGTERM)?;
        let mut pin = self.pin.lock();
        if pin.is_some() {
            return Err(EBUSY);
        }
        let mut pages = Pages::room_for(memory)?;
        pages.pin(memory, longterm)?;
        *pin = Some(pages);
        Ok(())
    }

    fn unpin(&self, wanted: bindings::pinbench_unpin) -> Result {
        let dirty = flag(wanted.flags, bindings::PINBENCH_DIRTY)?;
        let mut pages = self.pin.lock().take().ok_or(ENOENT)?;
        pages.unpin(dirty);
        Ok(())
    }
}

/// Whether the only known flag is set.
fn flag(flags: u64, known: u32) -> Result<bool> {
    match flags {
        0 => Ok(false),
        flags if flags == u64::from(known) => Ok(true),
        _ => Err(EINVAL),
    }
}

fn gup(mut wanted: bindings::pinbench_gup) -> Result<bindings::pinbench_gup> {
    let memory = Memory::new(wanted.addr, wanted.length)?;
    let dirty = u64::from(bindings::PINBENCH_DIRTY);
    let longterm = flag(wanted.flags & !dirty, bindings::PINBENCH_LONGTERM)?;
    let mut pages = Pages::room_for(memory)?;
    wanted.elapsed_ns = stopwatch::repeat(wanted.repeat, || {
        pages.pin(memory, longterm)?;
        pages.unpin(wanted.flags & dirty != 0);
        Ok(())
    })?;
    Ok(wanted)
}

arguments!(pinbench_pin, pinbench_unpin, pinbench_gup, pinbench_copy);
