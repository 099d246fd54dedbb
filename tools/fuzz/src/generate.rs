// SPDX-License-Identifier: GPL-2.0
//! Draws operations that mostly mean something in the present state, and sometimes do not.

use fastrand::Rng;

use crate::{
    model::{Mapped, Model, BARE, COMMANDS, FOREIGN, LARGE},
    operation::{
        Access, Actor, Child, Grace, Importer, Malformed, Mapping, Means, Open, Operation,
        Patience, Step, Sync, FILES, PAGES, SLOTS,
    },
    run::Steps,
};

/// Draws a sequence.
#[derive(Debug)]
pub struct Generator<'a> {
    /// Where chance comes from.
    pub rng: &'a mut Rng,
    /// Steps to go.
    pub left: usize,
}

impl Steps for Generator<'_> {
    fn next(&mut self, model: &Model) -> Option<Step> {
        self.left = self.left.checked_sub(1)?;
        Some(step(self.rng, model))
    }
}

/// One in so many.
fn rarely(rng: &mut Rng, one_in: u32) -> bool {
    rng.u32(..one_in) == 0
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// A step for the present state.
pub fn step(rng: &mut Rng, model: &Model) -> Step {
    let actor = if rarely(rng, 16) {
        Actor::Partner
    } else {
        Actor::Worker
    };
    Step(actor, operation(rng, model, actor))
}

fn operation(rng: &mut Rng, model: &Model, actor: Actor) -> Operation {
    let handles = model
        .handles
        .iter()
        .filter(|handle| handle.actor == actor)
        .count();
    if handles == 0 && !rarely(rng, 4) {
        return acquire(rng, actor);
    }
    match rng.u32(..1000) {
        0..130 => match handles < 6 {
            true => acquire(rng, actor),
            false => Operation::Close { handle: rng.u8(..) },
        },
        130..380 => pin(rng, model, actor),
        380..570 => Operation::Unpin {
            handle: rng.u8(..),
            pin: rng.u8(..),
            unknown: rarely(rng, 64),
        },
        570..650 => mark(rng, model, actor),
        650..710 => shrink(rng, model, actor),
        710..780 => Operation::Close { handle: rng.u8(..) },
        780..850 => Operation::Duplicate { handle: rng.u8(..) },
        850..860 => Operation::Send { handle: rng.u8(..) },
        860..872 => Operation::Query { handle: rng.u8(..) },
        872..880 => Operation::Read { handle: rng.u8(..) },
        880..884 => Operation::Signals {
            handle: rng.u8(..),
            on: rng.bool(),
        },
        884..892 => Operation::Hostile {
            handle: rng.u8(..),
            command: rng.u8(..COMMANDS),
            how: pick(rng, Malformed::ALL),
        },
        892..920 => mapping(rng),
        920..945 => breaking(rng),
        945..950 => Operation::Extend {
            file: rng.u8(..3),
            pages: rng.u8(..32),
        },
        950..994 => device(rng, model, actor),
        994..996 => match rarely(rng, 4) {
            true => Operation::Watch,
            false => pick(
                rng,
                &[
                    Operation::ReadWatch { watch: 0 },
                    Operation::CloseWatch { watch: 0 },
                    Operation::List,
                ],
            ),
        },
        _ => rare(rng),
    }
}

fn acquire(rng: &mut Rng, actor: Actor) -> Operation {
    let first = rng.u8(..PAGES as u8);
    let room = PAGES as u8 - first;
    let pages = match rng.u32(..40) {
        0 => 0,
        1 => rng.u8(..2 * PAGES as u8),
        _ => rng.u8(1..=room),
    };
    Operation::Acquire {
        file: leased_file(rng, actor),
        open: match rng.u32(..100) {
            0 => pick(rng, &[Open::Read, Open::Write, Open::Pipe, Open::No]),
            _ => Open::Both,
        },
        first,
        pages,
        policy: if rarely(rng, 100) { 4 } else { rng.u8(..4) },
        grace: match rng.u32(..100) {
            0 => Grace::TooLong,
            1..5 => Grace::Short,
            5..20 => Grace::Default,
            _ => Grace::Long,
        },
        grant: rarely(rng, 8),
        unaligned: rarely(rng, 200),
    }
}

/// Mostly one that has a lease already: the first one of a file waits for what is under way.
fn leased_file(rng: &mut Rng, actor: Actor) -> u8 {
    let file = match actor {
        _ if rarely(rng, 12) => BARE,
        // What is not root's.
        Actor::Partner if !rarely(rng, 8) => LARGE,
        _ => pick(rng, &[FOREIGN, LARGE]),
    };
    file as u8
}

/// One of the actor's leases, and the number of its handle.
fn lease<'a>(
    rng: &mut Rng,
    model: &'a Model,
    actor: Actor,
) -> Option<(u8, &'a crate::model::Lease)> {
    let count = model
        .handles
        .iter()
        .filter(|handle| handle.actor == actor)
        .count();
    if count == 0 {
        return None;
    }
    let number = rng.usize(..count);
    let mut handles = model.handles.iter().filter(|handle| handle.actor == actor);
    let handle = handles.nth(number)?;
    Some((number as u8, model.lease(handle.lease)?))
}

/// A part of so many pages, as first page and number; rarely somewhere else.
fn part(rng: &mut Rng, first: u64, end: u64) -> (u8, u8) {
    if rarely(rng, 50) || first >= end {
        return (rng.u8(..PAGES as u8), rng.u8(..PAGES as u8));
    }
    let start = rng.u64(first..end);
    // Small ones are quick, and there can be more of them.
    let most = if rarely(rng, 8) {
        end - start
    } else {
        (end - start).min(3)
    };
    (start as u8, rng.u64(1..=most) as u8)
}

fn pin(rng: &mut Rng, model: &Model, actor: Actor) -> Operation {
    let Some((handle, lease)) = lease(rng, model, actor) else {
        return acquire(rng, actor);
    };
    // Mostly there where all of the file is mapped.
    let places = &model.places[crate::model::index(actor)];
    let slot = match rarely(rng, 6) {
        true => rng.usize(..SLOTS),
        false => lease.file,
    };
    let mapped = places[slot].unwrap_or(Mapped::all_of(slot % FILES));
    let start = lease.pages.start.max(mapped.first);
    let end = lease.pages.end.min(mapped.first + mapped.pages);
    let (first, pages) = part(rng, start, end);
    Operation::Pin {
        handle,
        slot: slot as u8,
        first: (u64::from(first)).saturating_sub(mapped.first) as u8,
        pages,
        marked: rarely(rng, 3),
        unaligned: rarely(rng, 200),
    }
}

fn mark(rng: &mut Rng, model: &Model, actor: Actor) -> Operation {
    let Some((handle, lease)) = lease(rng, model, actor) else {
        return acquire(rng, actor);
    };
    let (first, pages) = match lease.pins.is_empty() {
        true => part(rng, lease.pages.start, lease.pages.end),
        false => {
            let pin = &lease.pins[rng.usize(..lease.pins.len())];
            part(rng, pin.pages.start, pin.pages.end)
        }
    };
    Operation::Mark {
        handle,
        first,
        pages,
    }
}

fn shrink(rng: &mut Rng, model: &Model, actor: Actor) -> Operation {
    let Some((handle, lease)) = lease(rng, model, actor) else {
        return acquire(rng, actor);
    };
    let (mut first, mut end) = (lease.pages.start, lease.pages.end);
    match rng.u32(..10) {
        0 => (first, end) = (rng.u64(..PAGES), rng.u64(..PAGES)),
        1..5 => first += 1,
        _ => end -= 1,
    }
    Operation::Shrink {
        handle,
        first: first as u8,
        pages: end.saturating_sub(first) as u8,
    }
}

fn mapping(rng: &mut Rng) -> Operation {
    let slot = rng.u8(..);
    match rng.u32(..10) {
        0..5 => Operation::Map {
            slot,
            file: rng.u8(..3),
            first: rng.u8(..24),
            pages: rng.u8(..12),
            kind: match rng.u32(..10) {
                0 => Mapping::ReadOnly,
                1 => Mapping::Private,
                _ => Mapping::Shared,
            },
        },
        5..7 => Operation::Unmap { slot },
        7..9 => Operation::Move {
            slot,
            to: rng.u8(..),
        },
        _ => Operation::Store {
            slot: rng.u8(..SLOTS as u8),
            page: rng.u8(..),
        },
    }
}

fn breaking(rng: &mut Rng) -> Operation {
    const MEANS: &[Means] = &[
        Means::Truncate,
        Means::TruncateInside,
        Means::OpenTruncating,
        Means::Punch,
        Means::Punch,
        Means::PunchInside,
        Means::Zero,
        Means::Collapse,
        Means::Insert,
        Means::DirectWrite,
    ];
    let means = pick(rng, MEANS);
    let first = match means {
        // Not always the whole file.
        Means::Truncate | Means::TruncateInside => rng.u8(16..PAGES as u8),
        _ => rng.u8(..PAGES as u8),
    };
    Operation::Break {
        file: rng.u8(..3),
        means,
        first,
        pages: rng.u8(..4),
        patience: match rng.u32(..40) {
            0 => Patience::Interrupted,
            1..4 => Patience::Waits,
            _ => Patience::ComesBack,
        },
    }
}

fn device(rng: &mut Rng, model: &Model, actor: Actor) -> Operation {
    if !model.engines.iter().any(|engine| engine.actor == actor) {
        return Operation::Engine;
    }
    let engine = rng.u8(..);
    let (first, pages) = (rng.u8(..4), rng.u8(1..4));
    match rng.u32(..30) {
        20..30 => buffer(rng, engine),
        0 => Operation::Engine,
        1..8 => Operation::Attach {
            engine,
            handle: rng.u8(..),
            pin: rng.u8(..),
        },
        8..11 => Operation::PinRaw {
            engine,
            slot: rng.u8(..SLOTS as u8),
            first: rng.u8(..8),
            pages,
        },
        11..17 => Operation::DeviceWrite {
            engine,
            first,
            pages,
        },
        17 if rarely(rng, 8) => Operation::Start { engine },
        17 => Operation::Stop { engine },
        _ => Operation::CloseEngine { engine },
    }
}

fn buffer(rng: &mut Rng, engine: u8) -> Operation {
    let buffer = rng.u8(..);
    match rng.u32(..10) {
        0..4 => Operation::Export {
            handle: rng.u8(..),
            pin: rng.u8(..),
            first: if rarely(rng, 3) { rng.u8(..4) } else { 0 },
            pages: if rarely(rng, 3) { rng.u8(1..4) } else { 0 },
            access: match rng.u32(..50) {
                0 => Access::Unknown,
                1..10 => Access::Read,
                _ => Access::Write,
            },
            unaligned: rarely(rng, 50),
        },
        4..8 => Operation::Import {
            engine,
            buffer,
            kind: pick(
                rng,
                &[Importer::Revocable, Importer::Static, Importer::Fenced],
            ),
        },
        8 => Operation::Access {
            buffer,
            end: rng.bool(),
        },
        _ => Operation::CloseBuffer { buffer },
    }
}

/// What takes long.
fn rare(rng: &mut Rng) -> Operation {
    let file = rng.u8(..3);
    match rng.u32(..20) {
        0..2 => Operation::Sync {
            file,
            how: pick(rng, &[Sync::Fsync, Sync::Fdatasync, Sync::Range]),
        },
        2 => Operation::Fork {
            child: if rarely(rng, 8) {
                Child::Executes
            } else {
                Child::Exits
            },
        },
        _ => Operation::Write {
            file,
            first: rng.u8(..PAGES as u8),
            pages: rng.u8(..8),
        },
    }
}
