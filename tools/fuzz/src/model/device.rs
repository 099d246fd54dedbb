// SPDX-License-Identifier: GPL-2.0
//! Devices: engines of dmasim.

use std::{ops::Range, os::fd::RawFd};

use nix::errno::Errno;

use super::{index, lease::overlap, Effect, Life, Model, Plan};
use crate::{
    call::Call,
    expected::Expected,
    operation::{Actor, Importer, Mapping, Operation, PAGE, SLOTS, SLOT_PAGES},
};

/// What memory an engine has.
#[derive(Clone, Debug)]
pub enum EngineState {
    /// None.
    Empty,
    /// A pin of a lease.
    Attached {
        /// The lease.
        lease: u32,
        /// The pin.
        pin: u64,
        /// How many pages it has.
        pages: u64,
    },
    /// It was taken away.
    Revoked,
    /// A dma-buf.
    Imported {
        /// Which one.
        buffer: u32,
        /// How many pages it has.
        pages: u64,
        /// What becomes of it when it is revoked.
        kind: Importer,
    },
    /// It pinned under a grant.
    Raw {
        /// Of this file.
        file: usize,
        /// These.
        pages: Range<u64>,
    },
}

/// An engine.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) actor: Actor,
    pub(crate) fd: RawFd,
    pub(crate) state: EngineState,
    pub(crate) runs: bool,
}

impl Model {
    pub(super) fn engine(&self, actor: Actor, number: u8) -> Option<&Engine> {
        let index = Self::nth(&self.engines, |engine| engine.actor == actor, number)?;
        Some(&self.engines[index])
    }

    pub(super) fn engine_mut(&mut self, actor: Actor, fd: RawFd) -> Option<&mut Engine> {
        let mut engines = self.engines.iter_mut();
        engines.find(|engine| engine.actor == actor && engine.fd == fd)
    }

    pub(super) fn plan_engine(&self, actor: Actor) -> Option<Plan> {
        // It is a thread when it runs.
        if self.engines.len() >= 6 {
            return None;
        }
        let effect = Effect::Engine(actor);
        Some(Plan::new(Call::Engine, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_attach(
        &self,
        actor: Actor,
        engine: u8,
        handle: u8,
        pin: u8,
    ) -> Option<Plan> {
        let engine = self.engine(actor, engine)?;
        let (lease_fd, lease) = self.handle(actor, handle)?;
        let pin = &lease.pins[usize::from(pin).checked_rem(lease.pins.len())?];
        let taken = matches!(
            engine.state,
            EngineState::Attached { .. } | EngineState::Raw { .. } | EngineState::Imported { .. }
        );
        let revoked = matches!(engine.state, EngineState::Revoked);
        let mut expected = lease.valid_unless(&[(taken, Errno::EBUSY)]);
        if revoked {
            // It still has the memory that it can use no more.
            expected = Expected::failure(&[Errno::ENODEV, Errno::EBUSY]);
        }
        if lease.life != Life::Valid {
            expected = expected.or(Errno::ENOENT);
        }
        if taken && self.is_doubtful(engine) {
            expected = expected.or(Errno::ENODEV);
        }
        let call = Call::Attach {
            fd: engine.fd,
            lease: lease_fd,
            pin: pin.id,
        };
        let state = EngineState::Attached {
            lease: lease.key,
            pin: pin.id,
            pages: pin.pages.end - pin.pages.start,
        };
        Some(Plan::new(
            call,
            expected,
            Effect::Given(actor, engine.fd, state),
        ))
    }

    pub(super) fn plan_pin_raw(&self, actor: Actor, operation: Operation) -> Option<Plan> {
        let Operation::PinRaw {
            engine,
            slot,
            first,
            pages,
        } = operation
        else {
            return None;
        };
        let engine = self.engine(actor, engine)?;
        let slot = usize::from(slot) % SLOTS;
        let mapped = self.places[index(actor)][slot]?;
        let (first, count) = (u64::from(first) % SLOT_PAGES, u64::from(pages));
        if mapped.kind != Mapping::Shared || count == 0 || first + count > mapped.pages {
            return None;
        }
        let wanted = mapped.first + first..mapped.first + first + count;
        let all = mapped.first..mapped.first + mapped.pages;
        let is_there = wanted.end <= self.files[mapped.file].pages();
        let taken = !matches!(engine.state, EngineState::Empty);
        let mut expected = match self.granted(actor, mapped.file, &all) {
            Some(granted) => Expected::unless(&[
                (!granted || !is_there, Errno::EFAULT),
                (taken, Errno::EBUSY),
            ]),
            None => Expected::unless(&[(taken, Errno::EBUSY)]).or(Errno::EFAULT),
        };
        if matches!(engine.state, EngineState::Revoked) || self.is_doubtful(engine) {
            expected = expected.or(Errno::ENODEV);
        }
        // Where some pages are there, those are pinned and found to be too few.
        if !is_there {
            expected = expected.or(Errno::EINVAL).or(Errno::ENOMEM);
        }
        let call = Call::PinRaw {
            fd: engine.fd,
            address: self.address(slot) + first * PAGE,
            length: count * PAGE,
        };
        let state = EngineState::Raw {
            file: mapped.file,
            pages: wanted,
        };
        Some(Plan::new(
            call,
            expected,
            Effect::Given(actor, engine.fd, state),
        ))
    }

    /// Whether all of the range is leased to the actor with a grant, and nothing breaks; `None`:
    /// that is not certain.
    fn granted(&self, actor: Actor, file: usize, pages: &Range<u64>) -> Option<bool> {
        let leases = self.leases.iter().filter(|lease| {
            lease.grant
                && lease.file == file
                && lease.holder == actor
                && overlap(&lease.pages, pages)
        });
        let mut certain: Vec<_> = Vec::new();
        let mut vague = false;
        for lease in leases {
            match lease.vague {
                true => vague = true,
                false if lease.standing.is_none() => certain.push(lease.pages.clone()),
                false => (),
            }
        }
        certain.sort_by_key(|range| range.start);
        let end = certain
            .iter()
            .fold(pages.start, |end, range| match range.start <= end {
                true => end.max(range.end),
                false => end,
            });
        match (end >= pages.end, vague) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }

    /// Whether its memory may have been taken away.
    pub(super) fn is_doubtful(&self, engine: &Engine) -> bool {
        match engine.state {
            EngineState::Imported { buffer, kind, .. } if kind != Importer::Static => {
                let buffer = self.buffers.iter().find(|one| one.key == buffer);
                let lease = buffer.and_then(|buffer| self.lease(buffer.lease));
                lease.is_none_or(|lease| lease.life != Life::Valid)
            }
            EngineState::Attached { lease, .. } => self
                .lease(lease)
                .is_none_or(|lease| lease.life != Life::Valid),
            _ => false,
        }
    }

    /// What an engine says that needs memory, and how many pages it has.
    fn needs_memory(&self, engine: &Engine) -> (Expected, u64) {
        let (expected, pages) = match &engine.state {
            EngineState::Empty => (Expected::failure(&[Errno::ENXIO]), 0),
            EngineState::Revoked => (Expected::failure(&[Errno::ENODEV]), 0),
            EngineState::Attached { pages, .. } | EngineState::Imported { pages, .. } => {
                (Expected::SUCCESS, *pages)
            }
            EngineState::Raw { pages, .. } => (Expected::SUCCESS, pages.end - pages.start),
        };
        match self.is_doubtful(engine) {
            true => (expected.or(Errno::ENODEV), pages),
            false => (expected, pages),
        }
    }

    pub(super) fn plan_device_write(
        &self,
        actor: Actor,
        engine: u8,
        first: u8,
        pages: u8,
    ) -> Option<Plan> {
        let engine = self.engine(actor, engine)?;
        let (expected, has) = self.needs_memory(engine);
        let (first, pages) = (u64::from(first), u64::from(pages) % 4);
        let expected = match expected.may_succeed() && first + pages > has {
            true if self.is_doubtful(engine) => Expected::failure(&[Errno::EINVAL, Errno::ENODEV]),
            true => Expected::failure(&[Errno::EINVAL]),
            false => expected,
        };
        let call = Call::DeviceWrite {
            fd: engine.fd,
            first,
            pages,
        };
        Some(Plan::new(call, expected, Effect::Wrote(pages > 0)))
    }

    pub(super) fn plan_start(&self, actor: Actor, engine: u8) -> Option<Plan> {
        let engine = self.engine(actor, engine)?;
        let (mut expected, _) = self.needs_memory(engine);
        if engine.runs && expected.may_succeed() {
            let doubtful = self.is_doubtful(engine);
            expected = Expected::failure(&[Errno::EBUSY]);
            if doubtful {
                expected = expected.or(Errno::ENODEV);
            }
        }
        let call = Call::Start { fd: engine.fd };
        Some(Plan::new(
            call,
            expected,
            Effect::Runs(actor, engine.fd, true),
        ))
    }

    pub(super) fn plan_stop(&self, actor: Actor, engine: u8) -> Option<Plan> {
        let engine = self.engine(actor, engine)?;
        let (expected, _) = self.needs_memory(engine);
        let call = Call::Stop { fd: engine.fd };
        Some(Plan::new(
            call,
            expected,
            Effect::Runs(actor, engine.fd, false),
        ))
    }

    pub(super) fn plan_close_engine(&self, actor: Actor, engine: u8) -> Option<Plan> {
        let fd = self.engine(actor, engine)?.fd;
        let call = Call::Close { fd };
        Some(Plan::new(
            call,
            Expected::SUCCESS,
            Effect::EngineClosed(actor, fd),
        ))
    }
}
