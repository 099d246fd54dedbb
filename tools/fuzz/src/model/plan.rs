// SPDX-License-Identifier: GPL-2.0
//! From an operation to a call, and from its outcome to the next state.

use std::{ops::Range, os::fd::RawFd};

use super::{
    breaks::Breaker, buffer::Buffer, handle::Handle, index, Engine, EngineState, Lease, Life,
    Mapped, Model, Pin,
};
use crate::{
    call::{Call, Outcome},
    expected::Expected,
    operation::{Actor, Operation, Step},
};

/// What a call does if it succeeds; a breaker also when it does not.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named after what happened")]
pub enum Effect {
    Nothing,
    Acquired(Box<Lease>),
    Shrunk(u32, Range<u64>),
    Marked(bool),
    Queried(u32),
    Pinned(u32, Pin),
    Unpinned(u32, u64),
    Closed(Actor, RawFd),
    Copied(Actor, u32),
    Read(u32),
    Watches(Actor),
    Unwatched(Actor, RawFd),
    Mapped(Actor, usize, Option<Mapped>),
    Moved(Actor, usize, usize),
    Broke(Breaker),
    Extended(Breaker),
    Engine(Actor),
    Given(Actor, RawFd, EngineState),
    Wrote(bool),
    Runs(Actor, RawFd, bool),
    EngineClosed(Actor, RawFd),
    Exported(Buffer),
    BufferClosed(Actor, RawFd),
}

/// A call, and what the model thinks of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done.
    pub call: Call,
    /// What may come of it.
    pub expected: Expected,
    /// What it changes.
    pub effect: Effect,
}

impl Plan {
    pub(super) fn new(call: Call, expected: Expected, effect: Effect) -> Self {
        Self {
            call,
            expected,
            effect,
        }
    }
}

impl Model {
    /// What the operation is now; `None`: nothing, as what it needs is not there.
    pub fn plan(&self, Step(actor, operation): Step) -> Option<Plan> {
        match operation {
            Operation::Acquire { .. } => self.plan_acquire(actor, operation),
            Operation::Pin { .. } => self.plan_pin(actor, operation),
            Operation::Unpin {
                handle,
                pin,
                unknown,
            } => self.plan_unpin(actor, handle, pin, unknown),
            Operation::Mark {
                handle,
                first,
                pages,
            } => self.plan_mark(actor, handle, first, pages),
            Operation::Shrink {
                handle,
                first,
                pages,
            } => self.plan_shrink(actor, handle, first, pages),
            Operation::Query { handle } => self.plan_query(actor, handle),
            Operation::Close { handle } => self.plan_close(actor, handle),
            Operation::Duplicate { handle } => self.plan_duplicate(actor, handle),
            Operation::Send { handle } => self.plan_send(actor, handle),
            Operation::Read { handle } => self.plan_read(actor, handle),
            Operation::Signals { handle, on } => self.plan_signals(actor, handle, on),
            Operation::Hostile {
                handle,
                command,
                how,
            } => self.plan_hostile(actor, handle, command, how),
            Operation::List => Some(Plan::new(Call::List, Expected::SUCCESS, Effect::Nothing)),
            Operation::Watch => self.plan_watch(actor),
            Operation::ReadWatch { watch } => self.plan_read_watch(actor, watch),
            Operation::CloseWatch { watch } => self.plan_close_watch(actor, watch),
            Operation::Map {
                slot,
                file,
                first,
                pages,
                kind,
            } => self.plan_map(actor, slot, file, (first, pages), kind),
            Operation::Unmap { slot } => self.plan_unmap(actor, slot),
            Operation::Move { slot, to } => self.plan_move(actor, slot, to),
            Operation::Store { slot, page } => self.plan_store(actor, slot, page),
            Operation::Break { .. } => self.plan_break(actor, operation),
            Operation::Extend { file, pages } => self.plan_extend(actor, file, pages),
            Operation::Write { file, first, pages } => self.plan_write(file, first, pages),
            Operation::Sync { file, how } => self.plan_sync(file, how),
            Operation::Engine => self.plan_engine(actor),
            Operation::Attach {
                engine,
                handle,
                pin,
            } => self.plan_attach(actor, engine, handle, pin),
            Operation::PinRaw { .. } => self.plan_pin_raw(actor, operation),
            Operation::DeviceWrite {
                engine,
                first,
                pages,
            } => self.plan_device_write(actor, engine, first, pages),
            Operation::Start { engine } => self.plan_start(actor, engine),
            Operation::Stop { engine } => self.plan_stop(actor, engine),
            Operation::CloseEngine { engine } => self.plan_close_engine(actor, engine),
            Operation::Export { .. } => self.plan_export(actor, operation),
            Operation::Import {
                engine,
                buffer,
                kind,
            } => self.plan_import(actor, engine, buffer, kind),
            Operation::Access { buffer, end } => self.plan_access(actor, buffer, end),
            Operation::CloseBuffer { buffer } => self.plan_close_buffer(actor, buffer),
            Operation::Fork { child } => Some(Plan::new(
                Call::Fork { child },
                Expected::SUCCESS,
                Effect::Nothing,
            )),
        }
    }

    /// What a call has done; true if it succeeded and changed the state of leases, pins or what
    /// they depend on.
    ///
    /// # Errors
    ///
    /// What is wrong with it, though the call itself came out as expected.
    pub fn done(
        &mut self,
        actor: Actor,
        effect: Effect,
        outcome: &Outcome,
    ) -> Result<bool, String> {
        if let Effect::Broke(breaker) | Effect::Extended(breaker) = &effect {
            return Ok(self.broke(breaker, outcome));
        }
        if !outcome.succeeded() {
            return Ok(false);
        }
        let fd = outcome.value as RawFd;
        match effect {
            Effect::Nothing | Effect::Broke(_) | Effect::Extended(_) => return Ok(false),
            Effect::Acquired(lease) => {
                let lease = self.acquired(*lease);
                self.handles.push(Handle { actor, fd, lease });
            }
            Effect::Shrunk(lease, range) => self.shrunk(lease, range),
            Effect::Marked(changes) | Effect::Wrote(changes) => return Ok(changes),
            Effect::Queried(lease) => return self.queried(lease, outcome).map(|()| false),
            Effect::Pinned(lease, pin) => self.pinned(
                lease,
                Pin {
                    id: outcome.value,
                    ..pin
                },
            ),
            Effect::Unpinned(lease, pin) => self.unpinned(lease, pin),
            Effect::Closed(actor, fd) => self.closed(actor, fd),
            Effect::Copied(actor, lease) => self.copied(actor, lease, outcome),
            Effect::Read(lease) => self.read(lease, outcome),
            Effect::Watches(actor) => self.watches.push((actor, fd)),
            Effect::Unwatched(actor, fd) => self.watches.retain(|watch| *watch != (actor, fd)),
            Effect::Mapped(actor, slot, mapped) => self.places[index(actor)][slot] = mapped,
            Effect::Moved(actor, slot, to) => {
                let places = &mut self.places[index(actor)];
                places[to] = places[slot].take();
            }
            Effect::Engine(actor) => self.engines.push(Engine {
                actor,
                fd,
                state: EngineState::Empty,
                runs: false,
            }),
            Effect::Given(actor, fd, state) => {
                if let Some(engine) = self.engine_mut(actor, fd) {
                    engine.state = state;
                }
            }
            Effect::Runs(actor, fd, runs) => {
                if let Some(engine) = self.engine_mut(actor, fd) {
                    engine.runs = runs;
                }
            }
            Effect::EngineClosed(actor, fd) => {
                self.engines
                    .retain(|engine| (engine.actor, engine.fd) != (actor, fd));
                self.drop_buffers();
            }
            Effect::Exported(buffer) => self.exported(buffer, fd),
            Effect::BufferClosed(actor, fd) => self.buffer_closed(actor, fd),
        }
        Ok(true)
    }

    /// What is open and mapped, to be ended after a sequence: descriptors, and mappings by address
    /// and length.
    pub fn leftovers(&self, actor: Actor) -> (Vec<RawFd>, Vec<(u64, u64)>) {
        let handles = self.handles.iter().filter(|handle| handle.actor == actor);
        let engines = self.engines.iter().filter(|engine| engine.actor == actor);
        let watches = self.watches.iter().filter(|(of, _)| *of == actor);
        let buffers = self.buffers.iter().filter(|buffer| buffer.actor == actor);
        let fds = engines
            .map(|engine| engine.fd)
            .chain(buffers.filter_map(|buffer| buffer.fd))
            .chain(handles.map(|handle| handle.fd))
            .chain(watches.map(|(_, fd)| *fd))
            .collect();
        let places = self.places[index(actor)].iter().enumerate();
        let mappings = places
            .skip(crate::operation::FILES)
            .filter_map(|(slot, mapped)| {
                Some((
                    self.address(slot),
                    mapped.as_ref()?.pages * crate::operation::PAGE,
                ))
            })
            .collect();
        (fds, mappings)
    }

    /// Whether a policy may be acting: then it takes a moment until everything is gone.
    pub fn is_settling(&self) -> bool {
        self.leases.iter().any(|lease| lease.life != Life::Valid)
    }
}
