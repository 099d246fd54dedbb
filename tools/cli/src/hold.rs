// SPDX-License-Identifier: GPL-2.0
//! `pinlease hold`.

use std::{
    fs::OpenOptions,
    io::{stdin, Read},
    os::fd::AsFd,
    process::ExitCode,
    time::Duration,
};

use anyhow::{bail, Context, Result};
use clap::Args;
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::{
        signal::{SigSet, Signal},
        signalfd::SignalFd,
    },
};
use pinlease::{map_shared, Device, Pin, PinOptions, Policy};

use crate::range::FileRange;

/// Hold a lease until the end of standard input, SIGINT or SIGTERM.
#[derive(Args)]
pub struct Hold {
    /// The file, or a range of it; K, M and G are powers of 1024.
    #[arg(value_name = "FILE[:OFFSET,LENGTH]")]
    range: FileRange,
    /// Map and pin the range, too.
    #[arg(long)]
    pin: bool,
    /// What happens when a conflicting operation meets the lease: kill,
    /// revoke, block or refuse (the only one that this module can keep).
    #[arg(long, default_value = "refuse")]
    policy: Policy,
    /// How long a breaker waits, such as 500ms or 5s; by default the sysctl
    /// fs.lease-break-time.
    #[arg(long, value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
}

impl Hold {
    /// Takes the lease, waits, gives it back.
    pub fn run(self) -> Result<ExitCode> {
        let path = self.range.path.display();
        let device = Device::open()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.range.path)
            .with_context(|| path.to_string())?;
        // Blocked before the lease exists, so that a signal cannot skip the end.
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        let signals = SignalFd::new(&signals)?;

        let lease = device
            .lease(&file)
            .range(self.range.offset, self.range.length)
            .policy(self.policy)
            .grace(self.grace.unwrap_or_default())
            .acquire()
            .with_context(|| path.to_string())?;
        let query = lease.query()?;
        let pin = if self.pin {
            // Stays mapped until the process ends.
            let length = usize::try_from(query.length)?;
            let address = map_shared(&file, query.offset, length).context("mmap")?;
            Some(lease.pin(address.as_ptr(), length, PinOptions::default())?)
        } else {
            None
        };
        let pinned = match &pin {
            Some(pin) => format!(", pin {}", pin.id()),
            None => String::new(),
        };
        println!(
            "{path}: leased {}+{} policy {}{pinned}",
            query.offset, query.length, self.policy
        );
        wait(&signals)?;
        pin.map_or(Ok(()), Pin::release)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns at the end of standard input or when a signal comes.
fn wait(signals: &SignalFd) -> Result<()> {
    let mut input = stdin().lock();
    loop {
        let mut fds = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(input.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            Err(errno) => bail!("poll: {errno}"),
            Ok(_) => {}
        }
        let [signal, data] = fds.map(|fd| fd.any().unwrap_or(false));
        if signal || (data && input.read(&mut [0; 512])? == 0) {
            return Ok(());
        }
    }
}
