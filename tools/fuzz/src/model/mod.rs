// SPDX-License-Identifier: GPL-2.0
//! What the kernel must have, and what it must answer.
//!
//! The model is written from `pinlease.h` and the documentation, not from the module. Everything of
//! a sequence happens one after the other, so that most outcomes are certain. Where they are not
//! (a policy that acts by itself, folios larger than a page), the model says so, and learns from what
//! it sees.

mod breaks;
mod buffer;
mod device;
mod file;
mod handle;
mod lease;
mod malformed;
mod mapping;
mod pin;
mod plan;

use std::os::fd::RawFd;

use selftests::support::Filesystem;

use crate::operation::{Actor, FILES, PAGES, SLOTS};

pub use buffer::Buffer;
pub use device::{Engine, EngineState};
pub use file::{Descriptors, FileState, BARE, FOREIGN, LARGE};
pub use handle::Handle;
pub use lease::{Events, Lease, Life, Pin};
pub use malformed::COMMANDS;
pub use mapping::Mapped;
pub use plan::{Effect, Plan};

/// What never changes during a sequence.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where the files are.
    pub filesystem: Filesystem,
    /// How the files are open, in both processes.
    pub descriptors: [Descriptors; FILES],
    /// The first address of the places for mappings.
    pub arena: u64,
    /// The device, in both processes.
    pub device: RawFd,
    /// Something that is no file.
    pub pipe: RawFd,
    /// Pages that the partner may pin.
    pub memlock: u64,
}

/// The state of a worker's world.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) setting: Setting,
    pub(crate) files: [FileState; FILES],
    pub(crate) leases: Vec<Lease>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) engines: Vec<Engine>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) watches: Vec<(Actor, RawFd)>,
    pub(crate) places: [[Option<Mapped>; SLOTS]; 2],
    next_lease: u32,
    next_buffer: u32,
}

/// The worker is 0, its partner 1.
pub(crate) fn index(actor: Actor) -> usize {
    match actor {
        Actor::Worker => 0,
        Actor::Partner => 1,
    }
}

impl Model {
    /// The state in which a sequence begins.
    pub fn new(setting: Setting) -> Self {
        let mut places = [[None; SLOTS]; 2];
        for places in &mut places {
            for (file, place) in places.iter_mut().enumerate().take(FILES) {
                *place = Some(Mapped::all_of(file));
            }
        }
        Self {
            setting,
            files: file::fresh(),
            leases: Vec::new(),
            handles: Vec::new(),
            engines: Vec::new(),
            buffers: Vec::new(),
            watches: Vec::new(),
            places,
            next_lease: 0,
            next_buffer: 0,
        }
    }

    /// What never changes.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Files whose size is not that of the beginning.
    pub fn resized(&self) -> impl Iterator<Item = usize> + '_ {
        let files = self.files.iter().enumerate();
        files
            .filter(|(_, state)| state.size != PAGES * crate::operation::PAGE)
            .map(|(file, _)| file)
    }

    /// Number `index` of what `actor` has of something, modulo how much it has.
    fn nth<T>(all: &[T], owned: impl Fn(&T) -> bool, index: u8) -> Option<usize> {
        let count = all.iter().filter(|one| owned(one)).count();
        let wanted = usize::from(index).checked_rem(count)?;
        let mut owned = all.iter().enumerate().filter(|(_, one)| owned(one));
        owned.nth(wanted).map(|(index, _)| index)
    }
}
