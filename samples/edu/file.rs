// SPDX-License-Identifier: GPL-2.0

//! `/dev/edu`, see `edu.h`.

use crate::{
    bindings,
    common::argument::{arguments, read, write},
    engine::Engine,
    engines,
    job::Job,
    module_parameters,
    state::Conduct,
};
use kernel::{
    fs::File,
    ioctl::{_IO, _IOR, _IOW},
    miscdevice::{MiscDevice, MiscDeviceRegistration},
    page::PAGE_SIZE,
    prelude::*,
    sync::{Arc, ArcBorrow},
};

const TYPE: u32 = bindings::EDU_IOC_TYPE;
const ATTACH: u32 = _IOW::<bindings::edu_attach>(TYPE, 0x40);
const PIN_RAW: u32 = _IOW::<bindings::edu_pin_raw>(TYPE, 0x41);
const START: u32 = _IOW::<bindings::edu_start>(TYPE, 0x42);
const WAIT: u32 = _IOW::<bindings::edu_wait>(TYPE, 0x43);
const STOP: u32 = _IO(TYPE, 0x44);
const STATUS: u32 = _IOR::<bindings::edu_status>(TYPE, 0x45);

#[vtable]
impl MiscDevice for Engine {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        engines::claim()
    }

    fn ioctl(
        engine: ArcBorrow<'_, Self>,
        _file: &File,
        command: u32,
        argument: usize,
    ) -> Result<isize> {
        match command {
            ATTACH => attach(&engine, read(argument)?),
            PIN_RAW => pin_raw(&engine, read(argument)?),
            START => start(&engine, read(argument)?),
            WAIT => engine.wait(read::<bindings::edu_wait>(argument)?.passes),
            STOP => engine.stop(),
            STATUS => write(argument, &engine.status()),
            _ => Err(ENOTTY),
        }
        .map(|()| 0)
    }

    fn release(engine: Arc<Self>, _file: &File) {
        engine.release();
    }
}

fn attach(engine: &Engine, wanted: bindings::edu_attach) -> Result {
    const ALL: u32 =
        bindings::EDU_ATTACH_ROGUE | bindings::EDU_ATTACH_NO_FLUSH | bindings::EDU_ATTACH_NO_UNMAP;
    if wanted.flags & !ALL != 0 {
        return Err(EINVAL);
    }
    if wanted.flags != 0 && !module_parameters::rogue.value() {
        return Err(EPERM);
    }
    let conduct = Conduct {
        stops: wanted.flags & bindings::EDU_ATTACH_ROGUE == 0,
        flushes: wanted.flags & bindings::EDU_ATTACH_NO_FLUSH == 0,
        unmaps: wanted.flags & bindings::EDU_ATTACH_NO_UNMAP == 0,
    };
    engine.attach(wanted.lease_fd, wanted.pin_id, conduct)
}

fn pin_raw(engine: &Engine, wanted: bindings::edu_pin_raw) -> Result {
    let (address, length) = (wanted.addr as usize, wanted.length as usize);
    if (address | length) % PAGE_SIZE != 0 || length == 0 {
        return Err(EINVAL);
    }
    engine.pin_raw(address, length / PAGE_SIZE)
}

fn start(engine: &Engine, wanted: bindings::edu_start) -> Result {
    const ALL: u32 = bindings::EDU_START_REPEAT | bindings::EDU_START_COUNT;
    if wanted.flags & !ALL != 0 || wanted.reserved != 0 {
        return Err(EINVAL);
    }
    let step = u64::from(wanted.flags & bindings::EDU_START_COUNT != 0);
    engine.start(Job {
        first: wanted.first_page,
        pages: wanted.pages,
        generation: wanted.generation,
        step: (wanted.flags & bindings::EDU_START_REPEAT != 0).then_some(step),
        written: 0,
    })
}

arguments!(edu_attach, edu_pin_raw, edu_start, edu_wait, edu_status);
