// SPDX-License-Identifier: GPL-2.0

//! A queue of events that a descriptor reads: `read`, `poll` and signals.
//!
//! Lock order: `reading`, held by who copies to user space, outside of `events`, a spinlock that is
//! taken in hooks, inside of the leased file's.

use crate::{
    event::{Event, Events},
    sys::{fasync::Fasync, wait_queue::WaitQueue},
};
use kernel::{
    new_mutex, new_spinlock,
    prelude::*,
    sync::{Mutex, SpinLock},
    uaccess::UserSliceWriter,
};

/// The queue.
#[pin_data]
pub(crate) struct EventQueue {
    #[pin]
    events: SpinLock<Events>,
    #[pin]
    reading: Mutex<()>,
    #[pin]
    pub(crate) readers: WaitQueue,
    pub(crate) signals: Fasync,
}

impl EventQueue {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            events <- new_spinlock!(Events::new()),
            reading <- new_mutex!(()),
            readers <- WaitQueue::new(),
            signals: Fasync::new(),
        })
    }

    /// Adds an event and tells who waits for one. Any context but NMI.
    pub(crate) fn push(&self, event: Event) {
        self.events.lock().push(event);
        self.readers.wake_all();
        self.signals.signal();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.lock().is_empty()
    }

    /// Moves events to user space, as many as fit. May sleep.
    ///
    /// Errors: `EINVAL` not even one fits, `EAGAIN` there is none and `nonblocking`, `ERESTARTSYS`,
    /// `EFAULT` (then nothing is lost).
    pub(crate) fn read(&self, mut writer: UserSliceWriter, nonblocking: bool) -> Result<usize> {
        if writer.len() < Event::SIZE {
            return Err(EINVAL);
        }
        loop {
            if !nonblocking {
                self.readers
                    .wait(None, || !self.is_empty())
                    .map_err(|_| ERESTARTSYS)?;
            }
            match self.read_present(&mut writer)? {
                0 if nonblocking => return Err(EAGAIN),
                // Another reader was faster.
                0 => (),
                bytes => return Ok(bytes),
            }
        }
    }

    fn read_present(&self, writer: &mut UserSliceWriter) -> Result<usize> {
        let _reading = self.reading.lock();
        let mut bytes = 0;
        while writer.len() >= Event::SIZE {
            let first = self.events.lock().first();
            let Some(event) = first else {
                break;
            };
            match event.write(writer) {
                Ok(()) => (),
                Err(_) if bytes > 0 => break,
                Err(error) => return Err(error),
            }
            let told = self.events.lock().pop(&event);
            drop(told);
            bytes += Event::SIZE;
        }
        Ok(bytes)
    }
}
