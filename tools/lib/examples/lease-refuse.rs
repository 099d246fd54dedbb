// SPDX-License-Identifier: GPL-2.0
//! Holds a file until standard input ends. Nobody has to be answered; who tried to
//! change it got `ETXTBSY`, and is named.

use std::{
    error::Error,
    fs::OpenOptions,
    io::{self, Read},
    os::fd::AsFd,
};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use pinlease::{Device, EventKind, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: lease-refuse FILE")?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let device = Device::open()?;
    let lease = device.lease(&file).policy(Policy::Refuse).acquire()?;

    let mut input = io::stdin().lock();
    loop {
        let (typed, told) = {
            let stdin = io::stdin();
            let mut descriptors = [
                PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
                PollFd::new(lease.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut descriptors, PollTimeout::NONE)?;
            let [typed, told] = descriptors.map(|descriptor| descriptor.any().unwrap_or(true));
            (typed, told)
        };
        if told {
            let event = lease.read_event()?;
            if event.kind == EventKind::Refused {
                println!(
                    "{} was refused {},{}",
                    event.comm, event.offset, event.length
                );
            }
        }
        if typed && input.read(&mut [0; 64])? == 0 {
            return Ok(());
        }
    }
}
