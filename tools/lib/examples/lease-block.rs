// SPDX-License-Identifier: GPL-2.0
//! Holds a file until the work is done, however long that takes, and tells who is
//! waiting. Ends the lease when the first breaker has come and the work is done.

use std::{error::Error, fs::OpenOptions, thread, time::Duration};

use pinlease::{Device, EventKind, Policy};

/// What cannot be interrupted.
fn work() {
    thread::sleep(Duration::from_secs(10));
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: lease-block FILE")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let device = Device::open()?;
    let lease = device.lease(&file).policy(Policy::Block).acquire()?;

    let breaker = loop {
        let event = lease.read_event()?;
        // There is no deadline: nothing happens by itself.
        if let EventKind::Break { deadline: None } = event.kind {
            break event.comm;
        }
    };
    println!("{breaker} waits");
    work();
    drop(lease);
    Ok(())
}
