// SPDX-License-Identifier: GPL-2.0
//! PIN and UNPIN.

use std::ops::Range;

use nix::errno::Errno;
use pinlease::uapi;

use super::{
    lease::{grant_pages, overlap},
    Effect, Engine, EngineState, Life, Model, Pin, Plan,
};
use crate::{
    call::Call,
    expected::Expected,
    operation::{Actor, Mapping, Operation, PAGE, SLOTS, SLOT_PAGES},
};

impl Model {
    pub(super) fn plan_pin(&self, actor: Actor, operation: Operation) -> Option<Plan> {
        let Operation::Pin {
            handle,
            slot,
            first,
            pages,
            marked,
            unaligned,
        } = operation
        else {
            return None;
        };
        let (fd, lease) = self.handle(actor, handle)?;
        let slot = usize::from(slot) % SLOTS;
        let (first, count) = (u64::from(first) % SLOT_PAGES, u64::from(pages));
        let address = self.address(slot) + first * PAGE + u64::from(unaligned);
        let place = self.places[super::index(actor)][slot];
        let mapped = place.filter(|place| place.kind == Mapping::Shared);
        let maps_all = mapped.is_some_and(|place| first + count <= place.pages);
        let start = mapped.map_or(0, |place| place.first + first);
        let wanted = start..start + count;
        let here = mapped.is_some_and(|place| place.file == lease.file);
        let inside = lease.pages.start <= wanted.start && wanted.end <= lease.pages.end;
        let beyond = here && wanted.end > self.files[lease.file].pages();
        let expected = lease.valid_unless(&[
            (unaligned || count == 0, Errno::EINVAL),
            (!maps_all, Errno::EFAULT),
            (mapped.is_some() && !here, Errno::ENXIO),
            (here && !inside, Errno::ENXIO),
            // The mapping is there, its pages are not.
            (beyond, Errno::ENXIO),
        ]);
        let expected = match actor {
            Actor::Worker => expected,
            Actor::Partner => self.unless_memlock(expected, count),
        };
        let call = Call::Pin {
            fd,
            flags: if marked { uapi::PINLEASE_PIN_MARKED } else { 0 },
            address,
            length: count * PAGE,
        };
        let pin = Pin {
            id: 0,
            pages: wanted,
            by: actor,
        };
        Some(Plan::new(call, expected, Effect::Pinned(lease.key, pin)))
    }

    pub(super) fn plan_unpin(
        &self,
        actor: Actor,
        handle: u8,
        pin: u8,
        unknown: bool,
    ) -> Option<Plan> {
        let (fd, lease) = self.handle(actor, handle)?;
        let pin = match unknown {
            true => None,
            false => Some(&lease.pins[usize::from(pin).checked_rem(lease.pins.len())?]),
        };
        let id = pin.map_or(u64::MAX >> 1, |pin| pin.id);
        let used = self.is_used(id);
        let mut expected =
            lease.valid_unless(&[(pin.is_none(), Errno::ENOENT), (used, Errno::EBUSY)]);
        if lease.life != Life::Valid {
            expected = expected.or(Errno::ENOENT);
        }
        Some(Plan::new(
            Call::Unpin { fd, id },
            expected,
            Effect::Unpinned(lease.key, id),
        ))
    }

    pub(super) fn pinned(&mut self, key: u32, pin: Pin) {
        if let Some(lease) = self.lease_mut(key) {
            lease.yields = false;
            lease.pins.push(pin);
        }
    }

    pub(super) fn unpinned(&mut self, key: u32, id: u64) {
        let large = self
            .lease(key)
            .is_some_and(|lease| self.files[lease.file].large);
        let Some(lease) = self.lease_mut(key) else {
            return;
        };
        let Some(index) = lease.pins.iter().position(|pin| pin.id == id) else {
            return;
        };
        let pin = lease.pins.swap_remove(index);
        if lease.grant {
            return;
        }
        let Some(standing) = lease.standing.clone() else {
            return;
        };
        if large {
            // Other pages of its folios may have been in the way.
            lease.vague = true;
        } else if overlap(&standing, &pin.pages) && !lease.pinned(&standing) {
            lease.standing = None;
            lease.yields = true;
        }
        lease.perhaps_told();
    }

    /// As `expected`, but it fails if the partner may not pin so many pages.
    pub(super) fn unless_memlock(&self, expected: Expected, pages: u64) -> Expected {
        if !expected.may_succeed() {
            // Whichever is looked for first.
            return expected.or(Errno::ENOMEM);
        }
        let (certain, perhaps) = self.charged();
        if certain + pages > self.setting.memlock {
            let failure = Expected::failure(&[Errno::ENOMEM]);
            return match self.partner_is_doubtful() {
                true => failure.or(Errno::ENODEV).union(Expected::SUCCESS),
                false => failure,
            };
        }
        match certain + perhaps + pages > self.setting.memlock {
            true => expected.or(Errno::ENOMEM),
            false => expected,
        }
    }

    /// Pages that are charged to the partner, and those that may be.
    fn charged(&self) -> (u64, u64) {
        let (mut certain, mut perhaps) = (0, 0);
        for lease in &self.leases {
            let pins = lease.pins.iter().filter(|pin| pin.by == Actor::Partner);
            let pins: u64 = pins.map(|pin| pin.pages.end - pin.pages.start).sum();
            let grant = match lease.grant && lease.holder == Actor::Partner {
                // It is charged for what it was acquired with.
                true => grant_pages(lease.pages.end - lease.pages.start),
                false => 0,
            };
            match lease.life {
                Life::Valid => certain += pins + grant,
                _ => perhaps += pins + grant,
            }
        }
        (certain, perhaps)
    }

    fn partner_is_doubtful(&self) -> bool {
        self.leases.iter().any(|lease| lease.life != Life::Valid)
    }

    /// Whether a device has the pin, or a dma-buf.
    fn is_used(&self, id: u64) -> bool {
        let mut engines = self.engines.iter();
        let attached = |engine: &Engine| matches!(engine.state, EngineState::Attached { pin, .. } if pin == id);
        engines.any(attached) || self.buffers.iter().any(|buffer| buffer.pin == id)
    }

    /// Whether anybody but leases may have pinned pages of the file.
    pub(super) fn others_may_pin(&self, file: usize) -> bool {
        self.raw_pins(file).next().is_some()
    }

    /// What devices have pinned of the file under a grant.
    pub(super) fn raw_pins(&self, file: usize) -> impl Iterator<Item = Range<u64>> + '_ {
        self.engines
            .iter()
            .filter_map(move |engine| match &engine.state {
                EngineState::Raw { file: of, pages } if *of == file => Some(pages.clone()),
                _ => None,
            })
    }
}
