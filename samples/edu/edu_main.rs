// SPDX-License-Identifier: GPL-2.0

//! edu: a driver of QEMU's PCI device of that name, see `edu.h`.
//!
//! What a driver does that has pinlease's pins written by real bus-master DMA: it maps the pages
//! for its device, tells of what was written when the CPU can see it, and when the pages are taken
//! away it stops the device, waits until that is idle, and unmaps them.

mod bindings;
#[path = "../common/mod.rs"]
mod common;
mod driver;
mod engine;
mod engines;
mod file;
mod hardware;
mod job;
mod mapping;
mod registers;
mod state;

use engine::Engine;
use kernel::{
    driver::Registration,
    miscdevice::{MiscDeviceOptions, MiscDeviceRegistration},
    pci,
    prelude::*,
};

module! {
    type: Module,
    name: "edu",
    authors: ["The pinlease authors"],
    description: "QEMU's PCI device edu",
    license: "GPL v2",
    params: {
        dma_bits: u32 {
            default: 28,
            description: "Bits of an address that the device has: those of its dma_mask in QEMU",
        },
        rogue: bool {
            default: false,
            description: "For tests: allow what drivers must not do",
        },
    },
}

/// The loaded module. Fields are dropped in this order; the file keeps the module, so that no
/// device is in use then.
#[pin_data]
struct Module {
    #[pin]
    _file: MiscDeviceRegistration<Engine>,
    #[pin]
    _driver: Registration<pci::Adapter<driver::Edu>>,
}

impl kernel::InPlaceModule for Module {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        engines::init();
        try_pin_init!(Self {
            _driver <- Registration::new(
                <LocalModule as kernel::ModuleMetadata>::NAME,
                module,
            ),
            _file <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"edu" }),
        })
    }
}
