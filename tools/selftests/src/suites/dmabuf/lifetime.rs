// SPDX-License-Identifier: GPL-2.0
//! What outlives what.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{ensure, Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::{kill, Signal},
};
use pinlease::{Device, ExportOptions, Lease, PinOptions, Policy, State};

use super::common::{durable, file, hold, AGES, LIMIT, PAGE};
use crate::{
    harness::{Context, TestResult},
    support::{
        buffer::listed,
        expect::errno,
        modules,
        proc::{leases, wait_for},
        process, residue,
        rights::{receive, send},
        Engine, EngineState, Import, Mapped,
    },
};

/// Nothing is in the file's way any more.
fn free(mapped: &Mapped) -> TestResult {
    let empty = || Ok(leases(mapped)?.is_empty());
    wait_for("/proc/locks has no lease", LIMIT, empty)?;
    mapped.file().set_len(0).context("truncate after the lease")
}

/// Closing the lease stops importers that can be stopped, at once.
pub fn close(context: &Context) -> TestResult {
    for way in [Import::Revocable, Import::Fenced] {
        for running in [false, true] {
            let mapped = file(context)?;
            let (lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
            let engine = Engine::open()?;
            engine.import(&buffer, way)?;
            if running {
                engine.start(1, Duration::ZERO)?;
                engine.wait_passes(1)?;
            }
            drop(lease);
            let state = engine.status()?.state;
            ensure!(state == EngineState::Revoked, "{way:?}: {state:?}");
            ensure!(
                leases(&mapped)?.is_empty(),
                "{way:?}: the lease stays though nothing has its pages"
            );
            let late = engine.write(0, 1, 9);
            errno("writing after the revoke", late, Errno::ENODEV)?;
            free(&mapped)?;
            // It stays as an empty shell.
            let again = Engine::open()?.import(&buffer, way);
            errno("importing after the revoke", again, Errno::ENODEV)?;
        }
    }
    residue::none_left()
}

/// An importer that cannot be stopped keeps the lease: it drains, and fsync still
/// writes what the device writes.
pub fn close_static(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let engine = Engine::open()?;
    engine.import(&buffer, Import::Static)?;
    engine.write_all(1)?;
    drop(lease);
    let listed = residue::all_leases()?;
    ensure!(
        listed.len() == 1 && listed[0].state == State::Draining && listed[0].exports == 1,
        "{listed:?}"
    );
    for generation in 2..5 {
        engine.write_all(generation)?;
        durable(&mapped, generation)?;
    }
    let second = Engine::open()?.import(&buffer, Import::Static);
    errno("another importer", second, Errno::ENODEV)?;
    // What it writes last is not lost, either.
    engine.write_all(5)?;
    drop(engine);
    residue::none_left()?;
    durable(&mapped, 5)
}

/// A child's copy keeps the dma-buf, and so the pin, when the parent closes its own.
pub fn fork(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (lease, pin, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let inherited = &buffer;
    let child = process::spawn(move || {
        theirs.read_exact(&mut [0])?;
        let engine = Engine::open()?;
        engine.import(inherited, Import::Revocable)?;
        engine.write_all(4)
    })?;
    drop(buffer);
    let unpin = || lease.unpin(pin).map_err(pinlease::UnpinError::errno);
    errno("unpin", unpin(), Errno::EBUSY)?;
    ours.write_all(&[0])?;
    child.join()?;
    unpin()?;
    durable(&mapped, 4)
}

/// Who is sent a dma-buf needs neither the file nor the lease to write there.
pub fn scm_rights(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (ours, theirs) = UnixStream::pair()?;
    let child = process::spawn(move || {
        let buffer = receive(&theirs)?;
        let engine = Engine::open()?;
        engine.import(&buffer, Import::Revocable)?;
        engine.write_all(6)
    })?;
    let (_lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    send(&ours, &buffer)?;
    drop(buffer);
    child.join()?;
    durable(&mapped, 6)
}

/// The holder is killed; who has its dma-buf has nothing.
pub fn holder_dies(context: &Context) -> TestResult {
    let mapped = file(context)?;
    let (ours, theirs) = UnixStream::pair()?;
    let leased = &mapped;
    let holder = process::spawn(move || {
        let (_lease, _, buffer) = hold(leased, Policy::Refuse, AGES)?;
        send(&theirs, &buffer)?;
        // For ever: nobody writes.
        (&theirs).read_exact(&mut [0])?;
        anyhow::bail!("not killed")
    })?;
    let buffer = receive(&ours)?;
    let engine = Engine::open()?;
    engine.import(&buffer, Import::Revocable)?;
    engine.start(1, Duration::ZERO)?;
    engine.wait_passes(2)?;
    kill(holder.pid(), Signal::SIGKILL)?;
    ensure!(holder.join().is_err(), "the holder survived");
    let revoked = || Ok(engine.status()?.state == EngineState::Revoked);
    wait_for("the device is stopped", LIMIT, revoked)?;
    free(&mapped)
}

/// Many of them, in all orders of letting go: no lease, no pin, no dma-buf and no
/// reference to the module is left.
pub fn none_left(context: &Context) -> TestResult {
    let mapped = file(context)?;
    for round in 0..context.rounds {
        let device = Device::open()?;
        let lease = device.lease(&mapped).policy(Policy::Refuse).acquire()?;
        let buffers = exports(&lease, &mapped)?;
        let engine = Engine::open()?;
        let way = [Import::Revocable, Import::Fenced, Import::Static][round as usize % 3];
        engine.import(&buffers[1], way)?;
        match round % 4 {
            0 => drop((buffers, engine, lease)),
            1 => drop((lease, buffers, engine)),
            2 => drop((engine, lease, buffers)),
            _ => drop((buffers, lease, engine)),
        }
    }
    residue::none_left()?;
    wait_for("no dma-buf is left", LIMIT, || Ok(listed()?.is_empty()))?;
    modules::unload_all()
}

fn exports(lease: &Lease, mapped: &Mapped) -> Result<Vec<pinlease::DmaBuf>> {
    let pin = lease.pin(mapped.address(0), 4 * PAGE, PinOptions::default())?;
    let id = pin.into_id();
    (0..3)
        .map(|_| Ok(lease.export(id, ExportOptions::default())?))
        .collect()
}
