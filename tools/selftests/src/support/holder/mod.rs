// SPDX-License-Identifier: GPL-2.0
//! A process that holds a lease, as it is told.

mod child;

use std::{ops::Range, time::Duration};

use anyhow::{bail, ensure, Context, Result};
use nix::{
    errno::Errno,
    sys::{
        signal::{kill, Signal},
        wait::WaitStatus,
    },
    unistd::Pid,
};
use pinlease::Policy;
use serde::{Deserialize, Serialize};

use super::{
    channel::{channel, Receiver, Sender},
    process::{is_killed, Tied},
    Mapped, Seen,
};

/// A holder is told something and must do it within this time.
const OBEDIENCE: Duration = Duration::from_secs(20);

/// What a holder has, and what it does when its lease is broken.
#[derive(Clone, Debug)]
pub struct HolderPlan {
    /// Leased pages.
    pub range: Range<u64>,
    /// Its policy.
    pub policy: Policy,
    /// Its grace.
    pub grace: Duration,
    /// Pinned pages.
    pub pin: Option<Range<u64>>,
    /// Whether a device writes the pin.
    pub device: bool,
    /// What it does about a break.
    pub answer: Option<Answer>,
    /// Whether it is user `nobody`.
    pub nobody: bool,
}

/// What a holder does about a break by itself.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What.
    pub act: Act,
    /// When.
    pub when: When,
}

/// When an answer comes.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So long after the break.
    AfterBreak(Duration),
    /// When it is too late.
    AfterWithdrawn,
}

/// What a holder can do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Act {
    /// Stops the device and closes the lease.
    Close,
    /// Closes the lease while a device may still use the pin.
    CloseLease,
    /// Stops the device and unpins.
    Unpin,
    /// Shrinks the lease to these pages.
    Shrink(Range<u64>),
    /// Pins these pages.
    Pin(Range<u64>),
    /// Acquires a second lease on these pages, of the same kind.
    Acquire(Range<u64>),
    /// Says that these pages were written.
    Mark(Range<u64>),
    /// Asks the lease for its state.
    Query,
    /// Runs the breaker of this name on these pages.
    Break(String, Range<u64>),
    /// Ends, leaving the kernel to clean up.
    End,
}

/// What came of an act.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Done {
    /// When it began.
    pub begin: Duration,
    /// When it was done.
    pub end: Duration,
    /// With which errno; 0 is success.
    errno: i32,
    /// [`Act::Query`]: state of the lease.
    pub state: String,
    /// [`Act::Query`]: pins.
    pub pins: u64,
    /// [`Act::Query`]: state of the device.
    pub device: String,
}

impl Done {
    /// What it returned.
    ///
    /// # Errors
    ///
    /// The act's errno.
    pub fn result(&self) -> nix::Result<()> {
        match self.errno {
            0 => Ok(()),
            errno => Err(Errno::from_raw(errno)),
        }
    }
}

/// What a holder says.
#[derive(Debug, Deserialize, Serialize)]
enum Said {
    Ready { lease: u64 },
    Failed(String),
    Event(Seen),
    Answered(Done),
    Done(Done),
}

/// A holder; dropping it kills it.
#[derive(Debug)]
pub struct Holder {
    process: Tied,
    said: Receiver<Said>,
    orders: Sender<Act>,
    lease: u64,
    events: Vec<Seen>,
    answer: Option<Done>,
}

/// What is known of a holder that is gone.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: WaitStatus,
    /// The events that it had read.
    pub events: Vec<Seen>,
    /// Its answer to a break, if it gave one by itself.
    pub answer: Option<Done>,
}

impl Ended {
    /// Whether it was killed.
    pub fn was_killed(&self) -> bool {
        is_killed(self.status)
    }
}

impl HolderPlan {
    /// A lease of these pages, pinned and written by a device.
    pub fn new(range: Range<u64>, policy: Policy, grace: Duration) -> Self {
        Self {
            pin: Some(range.clone()),
            range,
            policy,
            grace,
            device: true,
            answer: None,
            nobody: false,
        }
    }

    /// Pins only these pages, or none.
    pub fn pin(mut self, pin: Option<Range<u64>>) -> Self {
        self.device = pin.is_some();
        self.pin = pin;
        self
    }

    /// Without a device.
    pub fn idle(mut self) -> Self {
        self.device = false;
        self
    }

    /// Answers breaks.
    pub fn answer(mut self, act: Act, when: When) -> Self {
        self.answer = Some(Answer { act, when });
        self
    }

    /// As user `nobody`, to whom the file must belong.
    pub fn nobody(mut self) -> Self {
        self.nobody = true;
        self
    }

    /// Starts it; returns when it has what it is to have.
    ///
    /// # Errors
    ///
    /// It cannot get it.
    pub fn start(self, mapped: &Mapped) -> Result<Holder> {
        let (said, receiver) = channel()?;
        let (orders, receive_orders) = channel()?;
        let process = Tied::spawn(move || child::run(&self, mapped, &said, receive_orders))?;
        let mut holder = Holder {
            process,
            said: receiver,
            orders,
            lease: 0,
            events: Vec::new(),
            answer: None,
        };
        match holder.said.receive(OBEDIENCE)? {
            Some(Said::Ready { lease }) => holder.lease = lease,
            Some(Said::Failed(why)) => bail!("the holder: {why}"),
            other => bail!("the holder ended or said {other:?}"),
        }
        Ok(holder)
    }
}

impl Holder {
    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// The id of its lease.
    pub fn lease(&self) -> u64 {
        self.lease
    }

    /// Has it do something, and waits until it is done.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn act(&mut self, act: &Act) -> Result<Done> {
        self.begin(act)?;
        self.done(OBEDIENCE)
    }

    /// Has it do something.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn begin(&mut self, act: &Act) -> Result<()> {
        self.orders.send(act).context("ordering the holder")
    }

    /// Waits until it has done what it was told.
    ///
    /// # Errors
    ///
    /// It is gone, or has not within `limit`.
    pub fn done(&mut self, limit: Duration) -> Result<Done> {
        loop {
            match self.said.receive(limit).context("waiting for the holder")? {
                Some(Said::Done(done)) => return Ok(done),
                Some(other) => self.hear(other)?,
                None => bail!("the holder is gone"),
            }
        }
    }

    /// The events that it has read.
    ///
    /// # Errors
    ///
    /// It said something else.
    pub fn events(&mut self) -> Result<&[Seen]> {
        for said in self.said.pending()? {
            self.hear(said)?;
        }
        Ok(&self.events)
    }

    /// Waits until it has read an event that `wanted` accepts.
    ///
    /// # Errors
    ///
    /// It does not within `limit`, or is gone.
    pub fn wait_event(&mut self, limit: Duration, wanted: impl Fn(&Seen) -> bool) -> Result<Seen> {
        loop {
            if let Some(event) = self.events.iter().find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            match self.said.receive(limit).context("waiting for an event")? {
                Some(said) => self.hear(said)?,
                None => bail!("the holder is gone; its events: {:?}", self.events),
            }
        }
    }

    /// Waits for the first break.
    ///
    /// # Errors
    ///
    /// As [`Holder::wait_event`].
    pub fn wait_break(&mut self) -> Result<Seen> {
        self.wait_event(OBEDIENCE, Seen::is_break)
    }

    /// Its answer to a break, if it gave one by itself.
    pub fn answer(&self) -> Option<&Done> {
        self.answer.as_ref()
    }

    /// Kills it, as somebody else may.
    ///
    /// # Errors
    ///
    /// kill(2)'s.
    pub fn kill(&self) -> Result<()> {
        kill(self.pid(), Signal::SIGKILL).context("killing the holder")
    }

    /// Has it end, unless it is dead already.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn end(self) -> Result<Ended> {
        // A dead one does not obey.
        let _ = self.orders.send(&Act::End);
        self.gone(OBEDIENCE)
    }

    /// Waits until it is gone by itself.
    ///
    /// # Errors
    ///
    /// It is not within `limit`.
    pub fn gone(mut self, limit: Duration) -> Result<Ended> {
        let status = self.process.wait(limit).context("the holder")?;
        self.events()?;
        Ok(Ended {
            status,
            events: std::mem::take(&mut self.events),
            answer: self.answer.take(),
        })
    }

    fn hear(&mut self, said: Said) -> Result<()> {
        match said {
            Said::Event(event) => self.events.push(event),
            Said::Answered(done) => {
                ensure!(self.answer.is_none(), "the holder answered twice");
                self.answer = Some(done);
            }
            other => bail!("the holder said {other:?}"),
        }
        Ok(())
    }
}
