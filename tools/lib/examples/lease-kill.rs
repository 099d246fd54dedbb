// SPDX-License-Identifier: GPL-2.0
//! Holds a file for a device. Told by a signal that somebody needs it, the
//! program unpins, and pins again when that is done. Should it fail to, it is
//! killed.

use std::{error::Error, fs::OpenOptions, time::Duration};

use nix::sys::signal::{SigSet, Signal};
use pinlease::{map_shared, Device, EventKind, PinError, PinOptions, Policy, ReadError};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: lease-kill FILE")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len())?.next_multiple_of(4096);
    let memory = map_shared(&file, 0, length)?;

    let signals = SigSet::from(Signal::SIGIO);
    signals.thread_block()?;
    let device = Device::open()?;
    let lease = device
        .lease(&file)
        .policy(Policy::Kill)
        .grace(Duration::from_secs(5))
        .acquire()?;
    lease.set_nonblocking(true)?;
    lease.notify_by_signal(Some(Signal::SIGIO))?;

    let pin = || match lease.pin(memory.as_ptr(), length, PinOptions::default()) {
        Ok(pin) => Ok(Some(pin)),
        // The next breaker is there already; its end will be told, too.
        Err(PinError::Breaking) => Ok(None),
        Err(error) => Err(error),
    };
    let mut pinned = pin()?;
    loop {
        let events = match lease.read_events() {
            // One signal may stand for several events.
            Err(ReadError::WouldBlock) => {
                signals.wait()?;
                continue;
            }
            events => events?,
        };
        for event in events {
            match event.kind {
                EventKind::Break { .. } => {
                    println!("{} wants {},{}", event.comm, event.offset, event.length);
                    match pinned.take() {
                        // Before this the device has to stop.
                        Some(pin) => pin.release()?,
                        // A lease without pins is answered by its end.
                        None => return Ok(()),
                    }
                }
                EventKind::Over if pinned.is_none() => pinned = pin()?,
                _ => {}
            }
        }
    }
}
