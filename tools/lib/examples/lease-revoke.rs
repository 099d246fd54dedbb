// SPDX-License-Identifier: GPL-2.0
//! Holds a file, of which only the first page is pinned. Who wants what is behind
//! that gets it, unless it is in the same folio; who wants the first page gets
//! that by force after a second, and the program lives on without it.

use std::{error::Error, fs::OpenOptions, os::fd::AsFd, time::Duration};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use pinlease::{map_shared, Device, EventKind, PinError, PinOptions, Policy};

const PAGE: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: lease-revoke FILE")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let memory = map_shared(&file, 0, PAGE)?;
    let device = Device::open()?;
    let lease = device
        .lease(&file)
        .policy(Policy::Revoke)
        .grace(Duration::from_secs(1))
        .acquire()?;
    let pin = lease.pin(memory.as_ptr(), PAGE, PinOptions::default())?;

    loop {
        // Here a program would wait for other things as well.
        poll(
            &mut [PollFd::new(lease.as_fd(), PollFlags::POLLIN)],
            PollTimeout::NONE,
        )?;
        let event = lease.read_event()?;
        match event.kind {
            EventKind::Break { .. } if event.offset >= PAGE as u64 => {
                lease.shrink(0, PAGE as u64)?;
            }
            EventKind::Break { .. } => println!("{} will have the first page", event.comm),
            EventKind::Withdrawn => break,
            _ => {}
        }
    }

    // Drivers were told to stop; the last pages may be on their way out.
    println!("withdrawn, {} pins left", lease.query()?.pins);
    let again = lease.pin(memory.as_ptr(), PAGE, PinOptions::default());
    assert_eq!(again.err(), Some(PinError::Withdrawn));
    // Nothing is left to unpin.
    let _ = pin.into_id();
    Ok(())
}
