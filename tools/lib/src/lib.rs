// SPDX-License-Identifier: GPL-2.0
//! Leases on byte ranges of files whose mapped memory a device writes.
//!
//! A safe interface to `/dev/pinlease`; what the commands do and when they
//! fail is documented in `include/uapi/linux/pinlease.h`.  The types repeat the
//! kernel's rule that a pin cannot exist without its lease: a [`Pin`] borrows
//! the [`Lease`] that it was made on.
//!
//! # Examples
//!
//! ```no_run
//! use std::fs::OpenOptions;
//! use pinlease::{map_shared, Device, PinOptions, Policy};
//!
//! let file = OpenOptions::new().read(true).write(true).open("data")?;
//! let length = file.metadata()?.len() as usize;
//! let memory = map_shared(&file, 0, length)?;
//!
//! let device = Device::open()?;
//! let lease = device.lease(&file).policy(Policy::Refuse).acquire()?;
//! let pin = lease.pin(memory.as_ptr(), length, PinOptions::default())?;
//! // … a driver is given lease and pin.id(), the device writes …
//! file.sync_data()?; // what it has written so far is on the disk
//! pin.release()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod command;
mod device;
mod error;
mod event;
mod export;
pub mod host;
mod lease;
mod leases;
mod map;
mod notify;
mod operation;
mod pin;
mod policy;
mod query;
mod state;
pub mod statistics;
mod time;
mod watch;

pub use command::{issue, issue_bare, issue_next, Argument};
pub use device::{Device, DEVICE_PATH};
pub use error::{
    AcquireError, ExportError, ListError, MarkError, OpenError, PinError, QueryError, ReadError,
    ShrinkError, UnpinError, WatchError,
};
pub use event::{Event, EventKind};
pub use export::{DmaBuf, ExportOptions};
pub use lease::{Lease, LeaseBuilder};
pub use leases::{LeaseInfo, Leases};
pub use map::map_shared;
pub use nix::sys::signal::Signal;
pub use operation::Operation;
pub use pin::{Pin, PinOptions};
pub use pinlease_uapi as uapi;
pub use policy::Policy;
pub use query::Query;
pub use state::State;
pub use time::monotonic;
pub use watch::Watch;
