// SPDX-License-Identifier: GPL-2.0
//! What a holder does in its process.

use std::{ops::Range, os::fd::AsFd, time::Duration};

use anyhow::{bail, Context, Result};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
};
use pinlease::{
    monotonic, AcquireError, Device, EventKind, Lease, MarkError, PinError, PinOptions, QueryError,
    ReadError, ShrinkError, UnpinError,
};

use super::{Act, Done, HolderPlan, Said, When};
use crate::support::{
    breakers::{Target, BREAKERS},
    channel::{Receiver, Sender},
    page_size, process, Engine, Mapped,
};

const PAGE: u64 = page_size() as u64;

/// Between two passes of the device: it shall not have the processor alone.
const PAUSE: Duration = Duration::from_millis(2);

/// A holder at work.
struct Child<'a> {
    plan: &'a HolderPlan,
    mapped: &'a Mapped,
    device: Device,
    // Dropped in this order.
    engine: Option<Engine>,
    pin: Option<u64>,
    lease: Option<Lease>,
    more: Vec<Lease>,
    /// When the answer is due, which is given once.
    due: Option<Duration>,
    answered: bool,
}

pub(super) fn run(
    plan: &HolderPlan,
    mapped: &Mapped,
    said: &Sender<Said>,
    orders: Receiver<Act>,
) -> Result<()> {
    match Child::new(plan, mapped) {
        Ok(mut child) => {
            let lease = child.lease()?.query()?.id;
            said.send(&Said::Ready { lease })?;
            child.serve(said, orders)
        }
        Err(error) => said.send(&Said::Failed(format!("{error:#}"))),
    }
}

impl<'a> Child<'a> {
    fn new(plan: &'a HolderPlan, mapped: &'a Mapped) -> Result<Self> {
        let device = Device::open()?;
        // The device of the test, which only root may open.
        let engine = plan.device.then(Engine::open).transpose()?;
        if plan.nobody {
            process::become_nobody()?;
        }
        let mut child = Self {
            plan,
            mapped,
            engine,
            pin: None,
            lease: None,
            more: Vec::new(),
            due: None,
            answered: false,
            device,
        };
        let lease = child.acquire(&plan.range)?;
        lease.set_nonblocking(true)?;
        child.lease = Some(lease);
        if let Some(pages) = &plan.pin {
            child.pin(pages).context("PIN")?;
        }
        if let (Some(engine), Some(pin)) = (&child.engine, child.pin) {
            engine.attach(child.lease()?, pin).context("attaching")?;
            engine.start(1, PAUSE).context("starting the device")?;
        }
        Ok(child)
    }

    fn lease(&self) -> Result<&Lease> {
        self.lease.as_ref().context("no lease any more")
    }

    fn acquire(&self, pages: &Range<u64>) -> Result<Lease, AcquireError> {
        self.device
            .lease(self.mapped)
            .range(pages.start * PAGE, (pages.end - pages.start) * PAGE)
            .policy(self.plan.policy)
            .grace(self.plan.grace)
            .acquire()
    }

    fn pin(&mut self, pages: &Range<u64>) -> nix::Result<()> {
        let lease = self.lease.as_ref().ok_or(Errno::EBADF)?;
        let length = (pages.end - pages.start) as usize * page_size();
        let address = self.mapped.address(pages.start);
        let pin = lease.pin(address, length, PinOptions::default());
        self.pin = Some(pin.map_err(PinError::errno)?.into_id());
        Ok(())
    }

    /// Reads events and obeys until it is to end.
    fn serve(&mut self, said: &Sender<Said>, mut orders: Receiver<Act>) -> Result<()> {
        loop {
            self.wait(&orders)?;
            self.read_events(said)?;
            if self.due.is_some_and(|due| monotonic() >= due) {
                self.due = None;
                self.answered = true;
                if let Some(answer) = &self.plan.answer {
                    let done = self.timed(&answer.act)?;
                    said.send(&Said::Answered(done))?;
                }
            }
            for act in orders.pending()? {
                if matches!(act, Act::End) {
                    return Ok(());
                }
                let done = self.timed(&act)?;
                // What came before the act is told before it.
                self.read_events(said)?;
                said.send(&Said::Done(done))?;
            }
        }
    }

    /// Waits for an event, an order, or the time of the answer.
    fn wait(&self, orders: &Receiver<Act>) -> Result<()> {
        let mut fds = vec![PollFd::new(orders.as_fd(), PollFlags::POLLIN)];
        if let Some(lease) = &self.lease {
            fds.push(PollFd::new(
                lease.as_fd(),
                PollFlags::POLLIN | PollFlags::POLLPRI,
            ));
        }
        let timeout = match self.due {
            Some(due) => PollTimeout::try_from(due.saturating_sub(monotonic()))?,
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error).context("poll"),
        }
    }

    fn read_events(&mut self, said: &Sender<Said>) -> Result<()> {
        let events = match self.lease.as_ref().map(Lease::read_events) {
            None | Some(Err(ReadError::WouldBlock)) => return Ok(()),
            Some(result) => result.context("reading events")?,
        };
        for event in events {
            self.due = self.due.or_else(|| self.due_by(event.kind));
            said.send(&Said::Event(event.into()))?;
        }
        Ok(())
    }

    /// When an event makes the answer due.
    fn due_by(&self, event: EventKind) -> Option<Duration> {
        let answer = self.plan.answer.as_ref().filter(|_| !self.answered)?;
        match (answer.when, event) {
            (When::AfterBreak(after), EventKind::Break { .. }) => Some(monotonic() + after),
            (When::AfterWithdrawn, EventKind::Withdrawn) => Some(monotonic()),
            _ => None,
        }
    }

    fn timed(&mut self, act: &Act) -> Result<Done> {
        let mut done = Done {
            begin: monotonic(),
            end: Duration::ZERO,
            errno: 0,
            state: String::new(),
            pins: 0,
            device: String::new(),
        };
        if let Err(errno) = self.perform(act, &mut done)? {
            done.errno = errno as i32;
        }
        done.end = monotonic();
        Ok(done)
    }

    fn perform(&mut self, act: &Act, done: &mut Done) -> Result<nix::Result<()>> {
        Ok(match act {
            Act::Close => {
                self.engine = None;
                self.lease = None;
                Ok(())
            }
            Act::CloseLease => {
                self.lease = None;
                Ok(())
            }
            Act::Unpin => {
                self.engine = None;
                let pin = self.pin.take().context("nothing is pinned")?;
                self.lease()?.unpin(pin).map_err(UnpinError::errno)
            }
            Act::Shrink(pages) => self
                .lease()?
                .shrink(pages.start * PAGE, (pages.end - pages.start) * PAGE)
                .map_err(ShrinkError::errno),
            Act::Pin(pages) => self.pin(pages),
            Act::Acquire(pages) => self
                .acquire(pages)
                .map(|lease| self.more.push(lease))
                .map_err(AcquireError::errno),
            Act::Mark(pages) => self
                .lease()?
                .mark(pages.start * PAGE, (pages.end - pages.start) * PAGE)
                .map_err(MarkError::errno),
            Act::Query => self.query(done),
            Act::Break(name, pages) => self.break_own(name, pages)?,
            Act::End => bail!("is no act"),
        })
    }

    fn query(&self, done: &mut Done) -> nix::Result<()> {
        if let Some(engine) = &self.engine {
            let status = engine.status();
            done.device = status.map_or_else(|e| e.to_string(), |s| format!("{:?}", s.state));
        }
        let lease = self.lease.as_ref().ok_or(Errno::EBADF)?;
        let query = lease.query().map_err(QueryError::errno)?;
        done.state = query.state.to_string();
        done.pins = query.pins;
        Ok(())
    }

    /// Runs a breaker in the very process that has the lease.
    fn break_own(&self, name: &str, pages: &Range<u64>) -> Result<nix::Result<()>> {
        let breaker = BREAKERS.iter().find(|breaker| breaker.name == name);
        let breaker = breaker.with_context(|| format!("no breaker is called {name}"))?;
        Ok((breaker.run)(&Target {
            file: self.mapped.file(),
            path: self.mapped.path(),
            flags: 0,
            offset: pages.start * PAGE,
            length: (pages.end - pages.start) * PAGE,
        }))
    }
}
