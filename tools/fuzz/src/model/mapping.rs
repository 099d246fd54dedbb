// SPDX-License-Identifier: GPL-2.0
//! Mappings of files, in places of a fixed size.

use super::{index, Effect, Model, Plan};
use crate::{
    call::Call,
    expected::Expected,
    operation::{Actor, Mapping, FILES, PAGE, PAGES, SLOTS, SLOT_PAGES},
};

/// What is mapped in a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapped {
    /// Of this file.
    pub file: usize,
    /// From this page of it on.
    pub first: u64,
    /// So many.
    pub pages: u64,
    /// How.
    pub kind: Mapping,
}

impl Mapped {
    /// All of a file.
    pub fn all_of(file: usize) -> Self {
        Self {
            file,
            first: 0,
            pages: PAGES,
            kind: Mapping::Shared,
        }
    }
}

impl Model {
    /// Where a place is, in both processes.
    pub(crate) fn address(&self, slot: usize) -> u64 {
        self.setting.arena + slot as u64 * SLOT_PAGES * PAGE
    }

    /// The place of that number, not one of those where something is always mapped.
    fn slot(slot: u8) -> usize {
        FILES + usize::from(slot) % (SLOTS - FILES)
    }

    pub(super) fn plan_map(
        &self,
        actor: Actor,
        slot: u8,
        file: u8,
        pages: (u8, u8),
        kind: Mapping,
    ) -> Option<Plan> {
        let slot = Self::slot(slot);
        let mapped = Mapped {
            file: usize::from(file) % FILES,
            first: u64::from(pages.0) % PAGES,
            pages: u64::from(pages.1) % PAGES + 1,
            kind,
        };
        let call = Call::Map {
            address: self.address(slot),
            length: mapped.pages * PAGE,
            fd: self.setting.descriptors[mapped.file].both,
            offset: mapped.first * PAGE,
            kind,
        };
        // What is mapped there must go first, all of it.
        if self.places[index(actor)][slot].is_some() {
            return None;
        }
        let effect = Effect::Mapped(actor, slot, Some(mapped));
        Some(Plan::new(call, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_unmap(&self, actor: Actor, slot: u8) -> Option<Plan> {
        let slot = Self::slot(slot);
        let mapped = self.places[index(actor)][slot]?;
        let call = Call::Unmap {
            address: self.address(slot),
            length: mapped.pages * PAGE,
        };
        let effect = Effect::Mapped(actor, slot, None);
        Some(Plan::new(call, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_move(&self, actor: Actor, slot: u8, to: u8) -> Option<Plan> {
        let (slot, to) = (Self::slot(slot), Self::slot(to));
        let places = &self.places[index(actor)];
        let mapped = places[slot]?;
        if places[to].is_some() {
            return None;
        }
        let call = Call::Move {
            from: self.address(slot),
            to: self.address(to),
            length: mapped.pages * PAGE,
        };
        let effect = Effect::Moved(actor, slot, to);
        Some(Plan::new(call, Expected::SUCCESS, effect))
    }

    pub(super) fn plan_store(&self, actor: Actor, slot: u8, page: u8) -> Option<Plan> {
        let slot = usize::from(slot) % SLOTS;
        let mapped = self.places[index(actor)][slot]?;
        let page = u64::from(page) % mapped.pages;
        // Beyond the end of the file it would be a SIGBUS.
        let is_there = mapped.first + page < self.files[mapped.file].pages();
        if mapped.kind == Mapping::ReadOnly || !is_there {
            return None;
        }
        let call = Call::Store {
            address: self.address(slot) + page * PAGE,
        };
        Some(Plan::new(call, Expected::SUCCESS, Effect::Nothing))
    }
}
