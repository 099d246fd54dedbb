// SPDX-License-Identifier: GPL-2.0

//! What holders and watchers are told, and the queues where it waits to be read.

use crate::{bindings, breaker::Breaker, policy::range::PageRange, sys::clock, uapi};
use kernel::{prelude::*, sync::Arc, transmute::AsBytes, uaccess::UserSliceWriter};

/// What happened to a lease.
#[derive(Clone)]
pub(crate) struct Event {
    kind: u32,
    lease: u64,
    policy: u32,
    breaker: Option<Arc<Breaker>>,
    range: PageRange,
    time: u64,
    deadline: u64,
    lost: u64,
    error: u32,
}

/// Of which lease an event tells.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub(crate) lease: u64,
    pub(crate) policy: u32,
    pub(crate) range: PageRange,
}

impl Event {
    fn new(kind: u32, about: About, breaker: Option<Arc<Breaker>>) -> Self {
        Self {
            kind,
            lease: about.lease,
            policy: about.policy,
            range: breaker
                .as_ref()
                .map_or(about.range, |breaker| breaker.range),
            breaker,
            time: clock::now(),
            deadline: 0,
            lost: 0,
            error: 0,
        }
    }

    /// A breaker waits; the policy acts at `deadline`.
    pub(crate) fn breaks(about: About, breaker: Arc<Breaker>, deadline: Option<u64>) -> Self {
        let event = Self::new(bindings::PINLEASE_EVENT_BREAK, about, Some(breaker));
        Self {
            deadline: deadline.unwrap_or(0),
            ..event
        }
    }

    /// The breaker left.
    pub(crate) fn over(about: About, breaker: Arc<Breaker>) -> Self {
        Self::new(bindings::PINLEASE_EVENT_OVER, about, Some(breaker))
    }

    /// The policy acted, for that breaker.
    pub(crate) fn withdrawn(about: About, breaker: Option<Arc<Breaker>>) -> Self {
        Self::new(bindings::PINLEASE_EVENT_WITHDRAWN, about, breaker)
    }

    /// A breaker was refused.
    pub(crate) fn refused(about: About, breaker: Arc<Breaker>) -> Self {
        Self::new(bindings::PINLEASE_EVENT_REFUSED, about, Some(breaker))
    }

    /// What is in the range of `about` could not be saved.
    pub(crate) fn error(about: About, error: Error) -> Self {
        Self {
            error: error.to_errno().unsigned_abs(),
            ..Self::new(bindings::PINLEASE_EVENT_ERROR, about, None)
        }
    }

    /// It was acquired.
    pub(crate) fn acquired(about: About) -> Self {
        Self::new(bindings::PINLEASE_EVENT_ACQUIRED, about, None)
    }

    /// It ended.
    pub(crate) fn released(about: About) -> Self {
        Self::new(bindings::PINLEASE_EVENT_RELEASED, about, None)
    }

    /// `lost` events like this one are not there.
    fn overflow(&self, lost: u64) -> Self {
        Self {
            kind: bindings::PINLEASE_EVENT_OVERFLOW,
            breaker: None,
            deadline: 0,
            lost,
            error: 0,
            ..self.clone()
        }
    }

    /// Bytes of an event in user space.
    pub(crate) const SIZE: usize = size_of::<bindings::pinlease_event>();

    /// Writes it as the current task may see it. May sleep. Errors: `EFAULT`.
    pub(crate) fn write(&self, writer: &mut UserSliceWriter) -> Result {
        writer.write_slice(self.to_user().as_bytes())
    }

    fn to_user(&self) -> bindings::pinlease_event {
        let breaker = self.breaker.as_deref();
        let pid = breaker.map_or(0, |breaker| breaker.process.former_number());
        let comm = match breaker {
            Some(breaker) if pid != 0 => breaker.comm,
            _ => Default::default(),
        };
        bindings::pinlease_event {
            size: Self::SIZE as u32,
            kind: self.kind,
            lease: self.lease,
            breaker: breaker.map_or(0, |breaker| breaker.id),
            operation: breaker.map_or(0, |breaker| breaker.operation as u32),
            pid,
            offset: self.range.offset(),
            length: self.range.length(),
            time_ns: self.time,
            deadline_ns: self.deadline,
            lost: self.lost,
            policy: self.policy,
            error: self.error,
            comm: uapi::characters(comm),
        }
    }
}

/// Events in the order in which they happened, of which the newest are dropped when there are too
/// many, and counted.
pub(crate) struct Events {
    queue: KVec<Event>,
    /// Dropped after the last one in `queue`.
    lost: u64,
    /// To say of which lease events were lost.
    last_lost: Option<Event>,
}

impl Events {
    /// Events that can wait.
    const CAPACITY: usize = 256;

    pub(crate) const fn new() -> Self {
        Self {
            queue: KVec::new(),
            lost: 0,
            last_lost: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.lost == 0
    }

    /// Adds an event. Any context.
    pub(crate) fn push(&mut self, event: Event) {
        let gap = self.last_lost.as_ref().map(|last| last.overflow(self.lost));
        let needed = 1 + usize::from(gap.is_some());
        if self.queue.len() + needed > Self::CAPACITY
            || self
                .queue
                .reserve(needed, GFP_ATOMIC | __GFP_NOWARN)
                .is_err()
        {
            self.lost += 1;
            self.last_lost = Some(event);
            return;
        }
        // There is room, so that neither can fail.
        if let Some(gap) = gap {
            let _ = self.queue.push(gap, GFP_ATOMIC);
            self.lost = 0;
            self.last_lost = None;
        }
        let _ = self.queue.push(event, GFP_ATOMIC);
    }

    /// The oldest.
    pub(crate) fn first(&self) -> Option<Event> {
        let gap = || self.last_lost.as_ref().map(|last| last.overflow(self.lost));
        self.queue.first().cloned().or_else(gap)
    }

    /// Drops what [`first`](Self::first) returned last, and returns it to be dropped without a
    /// lock.
    pub(crate) fn pop(&mut self, told: &Event) -> Option<Event> {
        if !self.queue.is_empty() {
            return self.queue.remove(0).ok();
        }
        // More may have been lost since it was told.
        self.lost = self.lost.saturating_sub(told.lost);
        if self.lost == 0 {
            return self.last_lost.take();
        }
        None
    }
}
