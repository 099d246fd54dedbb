// SPDX-License-Identifier: GPL-2.0
//! A process of a history.

use std::{
    fs::File,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal},
};
use pinlease::{
    monotonic, AcquireError, Device, EventKind, Lease, PinError, PinOptions, ReadError,
    ShrinkError, UnpinError,
};

use super::{
    history::{Action, Attempt, Means, Record, Terms, What},
    plan::{Script, Step, Style, PAGES},
};
use crate::support::{
    breakers::{Breaker, Target, BREAKERS},
    channel::Sender,
    page_size, Mapped,
};

const PAGE: u64 = page_size() as u64;

/// How often a nonblocking breaker comes, and how long it stays away.
const COMES_BACK: usize = 4;
const COMES_BACK_AFTER: Duration = Duration::from_millis(40);

/// A lease with at most one pin.
struct Held {
    lease: Lease,
    terms: Terms,
    pin: Option<u64>,
    /// When a break is to be answered.
    due: Option<Duration>,
    withdrawn: bool,
}

/// A process.
pub struct Actor<'a> {
    pub number: usize,
    pub script: &'a Script,
    pub files: &'a [Mapped],
    pub log: Sender<Record>,
    device: Device,
    held: Option<Held>,
}

impl<'a> Actor<'a> {
    pub fn new(
        number: usize,
        script: &'a Script,
        files: &'a [Mapped],
        log: Sender<Record>,
    ) -> Result<Self> {
        let action = SigAction::new(
            SigHandler::Handler(ignore),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGALRM, &action) }?;
        Ok(Self {
            number,
            script,
            files,
            log,
            device: Device::open()?,
            held: None,
        })
    }

    /// Does what the script says, from `start` on.
    pub fn run(mut self, start: Duration) -> Result<()> {
        thread::sleep(start.saturating_sub(monotonic()));
        let script = self.script;
        for (pause, step) in &script.steps {
            self.attend(monotonic() + *pause)?;
            self.step(step)?;
        }
        self.say(What::Begin(Action::Exit))
    }

    fn say(&self, what: What) -> Result<()> {
        self.log.send(&Record {
            actor: self.number,
            at: monotonic(),
            what,
        })
    }

    /// Does something, with its begin and end in the log.
    fn timed(
        &mut self,
        action: Action,
        run: impl FnOnce(&mut Self) -> nix::Result<u64>,
    ) -> Result<nix::Result<u64>> {
        self.say(What::Begin(action))?;
        let result = run(self);
        self.say(What::End {
            errno: result.err().map_or(0, |errno| errno as i32),
            lease: result.unwrap_or(0),
        })?;
        Ok(result)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match (step, &self.held) {
            (Step::Acquire(terms), None) => self.acquire(terms),
            (Step::Pin(pages), Some(held)) if held.pin.is_none() => {
                let first = held.terms.pages.start;
                // The lease may have been shrunk meanwhile.
                let end = (first + pages.end).min(held.terms.pages.end);
                let start = first + pages.start;
                if start < end {
                    self.pin(start..end)?;
                }
                Ok(())
            }
            (Step::Unpin, Some(held)) if held.pin.is_some() => self.unpin(),
            (Step::Shrink, Some(_)) => self.shrink(),
            (Step::Close, Some(_)) => self.close(),
            (Step::Break(attempt), _) => self.break_it(attempt),
            _ => Ok(()),
        }
    }

    fn acquire(&mut self, terms: &Terms) -> Result<()> {
        let mut lease = None;
        let length = terms.pages.end - terms.pages.start;
        self.timed(Action::Acquire(terms.clone()), |actor| {
            let acquired = actor
                .device
                .lease(&actor.files[terms.file])
                .range(terms.pages.start * PAGE, length * PAGE)
                .policy(terms.policy)
                .grace(terms.grace)
                .acquire()
                .map_err(AcquireError::errno)?;
            let id = acquired.query().map_err(|_| Errno::EIO)?.id;
            lease = Some(acquired);
            Ok(id)
        })?
        .ok();
        if let Some(lease) = lease {
            lease.set_nonblocking(true)?;
            self.held = Some(Held {
                lease,
                terms: terms.clone(),
                pin: None,
                due: None,
                withdrawn: false,
            });
        }
        Ok(())
    }

    fn pin(&mut self, pages: std::ops::Range<u64>) -> Result<()> {
        self.timed(Action::Pin(pages.clone()), |actor| {
            let held = actor.held.as_mut().ok_or(Errno::EBADF)?;
            let address = actor.files[held.terms.file].address(pages.start);
            let length = (pages.end - pages.start) as usize * page_size();
            let pin = held.lease.pin(address, length, PinOptions::default());
            held.pin = Some(pin.map_err(PinError::errno)?.into_id());
            Ok(0)
        })?
        .ok();
        Ok(())
    }

    fn unpin(&mut self) -> Result<()> {
        self.timed(Action::Unpin, |actor| {
            let held = actor.held.as_mut().ok_or(Errno::EBADF)?;
            let pin = held.pin.take().ok_or(Errno::EBADF)?;
            let result = held.lease.unpin(pin).map_err(UnpinError::errno);
            result.map(|()| 0)
        })?
        .ok();
        Ok(())
    }

    fn shrink(&mut self) -> Result<()> {
        let held = self.held.as_ref().context("no lease")?;
        let pages = held.terms.pages.start..held.terms.pages.end - 1;
        if pages.is_empty() {
            return self.close();
        }
        let length = pages.end - pages.start;
        let result = self.timed(Action::Shrink(pages.clone()), |actor| {
            let held = actor.held.as_ref().ok_or(Errno::EBADF)?;
            let result = held.lease.shrink(pages.start * PAGE, length * PAGE);
            result.map(|()| 0).map_err(ShrinkError::errno)
        })?;
        if let (Ok(_), Some(held)) = (result, &mut self.held) {
            held.terms.pages = pages;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.timed(Action::Close, |actor| {
            actor.held = None;
            Ok(0)
        })?
        .ok();
        Ok(())
    }

    /// Breaks; a nonblocking breaker that has to come back does so a few times.
    fn break_it(&mut self, attempt: &Attempt) -> Result<()> {
        for _ in 0..COMES_BACK {
            let again = self.try_to_break(attempt)? == Err(Errno::EWOULDBLOCK);
            if !(again && attempt.nonblock) {
                break;
            }
            self.attend(monotonic() + COMES_BACK_AFTER)?;
        }
        Ok(())
    }

    fn try_to_break(&mut self, attempt: &Attempt) -> Result<nix::Result<u64>> {
        let mapped = &self.files[attempt.file];
        let flags = if attempt.nonblock {
            libc::O_NONBLOCK
        } else {
            0
        };
        let file: File = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(mapped.path())?;
        let breaker = breaker(attempt.means)?;
        let result = self.timed(Action::Break(attempt.clone()), |_| {
            alarm(attempt.interrupt);
            let result = (breaker.run)(&Target {
                file: &file,
                path: mapped.path(),
                flags,
                offset: attempt.pages.start * PAGE,
                length: (attempt.pages.end - attempt.pages.start) * PAGE,
            });
            alarm(None);
            result.map(|()| 0)
        })?;
        if attempt.means == Means::Truncate {
            // As it was; extending breaks nothing.
            file.set_len(PAGES * PAGE)?;
        }
        Ok(result)
    }

    /// Reads events and answers breaks until `until`.
    fn attend(&mut self, until: Duration) -> Result<()> {
        loop {
            let now = monotonic();
            let due = self.held.as_ref().and_then(|held| held.due);
            if due.is_some_and(|due| now >= due) {
                self.answer()?;
                continue;
            }
            let wake = due.map_or(until, |due| due.min(until));
            if now >= until {
                return self.read();
            }
            let mut fds = Vec::new();
            if let Some(held) = &self.held {
                fds.push(PollFd::new(held.lease.as_fd(), PollFlags::POLLIN));
            }
            // Rounded up, so that the last wait is no busy one.
            let left = wake.saturating_sub(now) + Duration::from_micros(999);
            match poll(&mut fds, PollTimeout::try_from(left)?) {
                Err(Errno::EINTR) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            drop(fds);
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<()> {
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        let events = match held.lease.read_events() {
            Err(ReadError::WouldBlock) => return Ok(()),
            other => other?,
        };
        let mut records = Vec::new();
        for event in events {
            match event.kind {
                EventKind::Break { .. } if self.script.style != Style::Ignores => {
                    held.due.get_or_insert(monotonic() + self.script.delay);
                }
                EventKind::Withdrawn => held.withdrawn = true,
                _ => {}
            }
            records.push(What::Event(event.into()));
        }
        let withdrawn = held.withdrawn;
        for record in records {
            self.say(record)?;
        }
        if withdrawn {
            self.close()?;
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<()> {
        let held = self.held.as_mut().context("no lease")?;
        held.due = None;
        match self.script.style {
            Style::Ignores => Ok(()),
            Style::Closes => self.close(),
            Style::Unpins if held.pin.is_some() => self.unpin(),
            // Without a pin it has nothing else to give.
            Style::Unpins => self.close(),
            Style::Shrinks => self.shrink(),
        }
    }
}

extern "C" fn ignore(_: i32) {}

/// SIGALRM after this time, or never.
fn alarm(after: Option<Duration>) {
    let value = libc::timeval {
        tv_sec: 0,
        tv_usec: after.map_or(0, |after| i64::from(after.subsec_micros())),
    };
    // Again and again: one that comes before the breaker sleeps is lost.
    let timer = libc::itimerval {
        it_interval: value,
        it_value: value,
    };
    // SAFETY: the call reads one structure, which lives during it.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

fn breaker(means: Means) -> Result<&'static Breaker> {
    let name = match means {
        Means::Punch => "punch",
        Means::Zero => "zero",
        Means::Write => "O_DIRECT write",
        Means::Truncate => "ftruncate",
    };
    let breaker = BREAKERS.iter().find(|breaker| breaker.name == name);
    breaker.with_context(|| format!("no breaker is called {name}"))
}
