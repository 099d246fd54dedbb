// SPDX-License-Identifier: GPL-2.0

//! pinlease: memory that is mapped from a file and written by a device keeps what the device
//! wrote.
//!
//! A [`lease`] makes a range of a file pinnable; a [`pin`](mod@pin) is user memory of that range,
//! held for a device, whose driver [attaches](attach) or imports it as a [dma-buf](mod@export);
//! writeback of a pinned page writes a [snapshot]; the page is [re-armed](rearm) whenever somebody
//! asks for durability. The [hooks](hook) that this takes are in the kernel only while a lease
//! exists. Documentation/ has the concepts and the reasons.

mod arbiter;
mod attach;
mod bindings;
mod breaker;
mod conflict;
mod device;
mod draining;
mod endless;
mod event;
mod event_queue;
mod expiry;
mod export;
mod failure;
mod filesystem;
mod grant;
mod gup;
mod holder;
mod hook;
mod lease;
mod lease_file;
mod leased_file;
mod listing;
mod others;
mod parameters;
mod pin;
#[allow(unreachable_pub, reason = "a crate of its own on a host")]
#[path = "policy/lib.rs"]
mod policy;
mod quiescence;
mod rearm;
mod registry;
mod retry;
mod snapshot;
mod statistics;
mod sys;
mod tick;
mod trace;
mod uapi;
mod waiting;
mod watch;
mod waves;
mod written;

use device::Device;
use kernel::{
    miscdevice::{MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*,
};
use statistics::Statistics;

module! {
    type: Pinlease,
    name: "pinlease",
    authors: ["The pinlease authors"],
    description: "Leases on file ranges whose memory a device writes",
    license: "GPL v2",
    imports_ns: ["DMA_BUF"],
    params: {
        leases_per_user: u64 {
            default: 1024,
            description: "Leases that one user may have at a time",
        },
        breakers_per_user: u64 {
            default: 1024,
            description: "Operations of one user that may wait for leases at a time",
        },
        pins_per_lease: u64 {
            default: 65536,
            description: "Pins that one lease may have at a time",
        },
        grace_max_ms: u32 {
            default: 60000,
            description: "Milliseconds that an unprivileged holder may make others wait, and that breakers wait for pins after a deadline",
        },
        reserve_only: bool {
            default: false,
            description: "For tests: take snapshots from the reserve although memory is free",
        },
    },
}

/// The loaded module. Fields are dropped in this order: nobody can come in any more, then what is
/// under way ends.
#[pin_data]
struct Pinlease {
    #[pin]
    _device: MiscDeviceRegistration<Device>,
    #[pin]
    _statistics: Statistics,
    _machinery: Machinery,
}

impl kernel::InPlaceModule for Pinlease {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _machinery: Machinery::start()?,
            _statistics <- Statistics::new(),
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                name: c"pinlease",
            }),
        })
        .pin_chain(|_| {
            pr_info!("loaded; no hook is installed before the first lease\n");
            Ok(())
        })
    }
}

/// Everything in statics: started once, stopped when no lease and no reference to the module is
/// left.
struct Machinery;

impl Machinery {
    fn start() -> Result<Self> {
        registry::init();
        draining::init();
        gup::init();
        hook::install::init();
        tick::init();
        failure::init();
        endless::init();
        waiting::init();
        expiry::init();
        retry::init();
        watch::init();
        sys::work_queue::init()?;
        sys::sysctl::init();
        sys::operation_section::init();
        sys::fingerprint::init();
        snapshot::reserve::init().inspect_err(|_| drop(sys::work_queue::close()))?;
        Ok(Self)
    }
}

impl Drop for Machinery {
    fn drop(&mut self) {
        hook::install::remove();
        hook::install::quiesce();
        // Until here, operations that end could start these again.
        let queue = sys::work_queue::close();
        expiry::stop();
        tick::stop();
        drop(queue);
        tick::stop();
        registry::sweep();
        snapshot::wait_until_written();
        snapshot::spare::free();
        failure::stop();
        snapshot::reserve::exit();
        draining::exit();
        gup::exit();
        watch::exit();
        pr_info!("unloaded\n");
    }
}
