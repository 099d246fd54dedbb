// SPDX-License-Identifier: GPL-2.0
//! `pinlease hold`.

use std::{
    fs::{File, OpenOptions},
    io::{stdin, Read},
    os::fd::AsFd,
    process::ExitCode,
    time::Duration,
};

use anyhow::{anyhow, bail, ensure, Context, Result};
use clap::{Args, ValueEnum};
use pinlease::{
    map_shared, Device, Event, EventKind, Lease, Pin, PinError, PinOptions, Policy, ReadError,
};

use crate::{
    event_line::{EventLine, Now},
    range::FileRange,
    refusal::Wanted,
    units::{printable, range, time},
    wait,
};

/// Hold a lease until the end of standard input, SIGINT or SIGTERM, and print
/// what happens to it.
#[derive(Args, Debug)]
pub struct Hold {
    /// The file, or a range of it; K, M and G are powers of 1024.
    #[arg(value_name = "FILE[:OFFSET,LENGTH]")]
    range: FileRange,
    /// Map and pin the range, too.
    #[arg(long)]
    pin: bool,
    /// Who yields to a conflicting operation, the breaker, when the grace is
    /// over: kill (the holder is killed), revoke (its pins are taken away),
    /// block (the breaker waits) or refuse (the breaker is refused at once).
    #[arg(long, default_value_t)]
    policy: Policy,
    /// How long a breaker waits, such as 500ms or 5s; by default the sysctl
    /// fs.lease-break-time.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
    /// Let other parts of the kernel pin the range, too, as 'pinlease run' does.
    #[arg(long)]
    grant: bool,
    /// How to answer a break; a lease with a grant is not answered by unpin.
    #[arg(long, value_name = "ANSWER", value_enum, default_value_t)]
    #[arg(requires_if("unpin", "pin"))]
    on_break: OnBreak,
}

/// How to answer a break.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum OnBreak {
    /// Print it and go on: in the end the policy acts.
    #[default]
    Ignore,
    /// Give the lease back and end with status 0.
    Release,
    /// Unpin, and pin again when the breaker is done.
    Unpin,
}

/// Whether the holder goes on.
enum Next {
    GoOn,
    End,
}

impl Hold {
    /// Takes the lease, waits, gives it back.
    pub fn run(self) -> Result<ExitCode> {
        let path = printable(&self.range.path.display().to_string());
        ensure!(
            !(self.grant && self.on_break == OnBreak::Unpin),
            "a lease with a grant is not answered by unpin; use release"
        );
        let device = Device::open()?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.range.path)
            .with_context(|| path.clone())?;
        // Before the lease exists, so that a signal cannot skip the end.
        let end = wait::catch_end()?;
        let lease = device
            .lease(&file)
            .range(self.range.offset, self.range.length)
            .policy(self.policy)
            .grace(self.grace.unwrap_or_default())
            .grant(self.grant)
            .acquire();
        let wanted = Wanted {
            range: &self.range,
            policy: self.policy,
            grant: self.grant,
        };
        let lease = lease.map_err(|error| anyhow!(wanted.refused(error, &file)))?;
        lease.set_nonblocking(true)?;
        let mut holder = Holder::new(&lease, &file, self.pin, self.on_break)?;
        println!("{path}: {}", holder.describe()?);

        let mut input = stdin().lock();
        loop {
            let [ended, data, event] = wait::for_any([end.as_fd(), input.as_fd(), lease.as_fd()])?;
            if ended || (data && input.read(&mut [0; 512])? == 0) {
                break;
            }
            if event && matches!(holder.events().with_context(|| path.clone())?, Next::End) {
                break;
            }
        }
        holder.release()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A lease, its pin, and what to do about breaks.
struct Holder<'lease> {
    lease: &'lease Lease,
    /// Stays mapped until the process ends.
    memory: Option<(*const u8, usize)>,
    pin: Option<Pin<'lease>>,
    on_break: OnBreak,
}

impl<'lease> Holder<'lease> {
    fn new(lease: &'lease Lease, file: &File, pin: bool, on_break: OnBreak) -> Result<Self> {
        let mut holder = Self {
            lease,
            memory: None,
            pin: None,
            on_break,
        };
        if pin {
            let query = lease.query()?;
            let length = usize::try_from(query.length)?;
            let address = map_shared(file, query.offset, length).context("mmap")?;
            holder.memory = Some((address.as_ptr(), length));
            holder.pin()?;
        }
        Ok(holder)
    }

    fn pin(&mut self) -> Result<(), PinError> {
        if let (None, Some((address, length))) = (&self.pin, self.memory) {
            self.pin = Some(self.lease.pin(address, length, PinOptions::default())?);
        }
        Ok(())
    }

    /// What is held.
    fn describe(&self) -> Result<String> {
        let query = self.lease.query()?;
        let policy = query.policy.unwrap_or_default();
        let mut text = format!(
            "lease {} on {}, {policy}",
            query.id,
            range(query.offset, query.length)
        );
        if matches!(policy, Policy::Kill | Policy::Revoke) {
            text += &format!(" after {}", time(query.grace));
        }
        if query.grant {
            text += ", grant";
        }
        if let Some(pin) = &self.pin {
            text += &format!(", pin {}", pin.id());
        }
        Ok(text)
    }

    /// Prints and answers the events that are there.
    fn events(&mut self) -> Result<Next> {
        let events = match self.lease.read_events() {
            Ok(events) => events,
            Err(ReadError::WouldBlock | ReadError::Interrupted) => return Ok(Next::GoOn),
            Err(error) => return Err(error.into()),
        };
        for event in &events {
            println!("{}", EventLine::new(event, None, Now::get()));
        }
        for event in &events {
            if let Next::End = self.answer(event)? {
                return Ok(Next::End);
            }
        }
        Ok(Next::GoOn)
    }

    fn answer(&mut self, event: &Event) -> Result<Next> {
        match (event.kind, self.on_break) {
            (EventKind::Withdrawn, _) => bail!("the lease is withdrawn"),
            (EventKind::Break { .. }, OnBreak::Release) => return Ok(Next::End),
            (EventKind::Break { .. }, OnBreak::Unpin) => {
                if let Some(pin) = self.pin.take() {
                    pin.release()?;
                }
            }
            (EventKind::Over, OnBreak::Unpin) => match self.pin() {
                // Another breaker is there: its end will be told, too.
                Ok(()) | Err(PinError::Breaking) => {}
                Err(error) => return Err(error).context("pinning again"),
            },
            _ => {}
        }
        Ok(Next::GoOn)
    }

    /// Unpins, and tells whether what a device wrote reached the file.
    fn release(self) -> Result<()> {
        self.pin.map_or(Ok(()), Pin::release)?;
        Ok(())
    }
}
