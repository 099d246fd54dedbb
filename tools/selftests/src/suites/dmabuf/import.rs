// SPDX-License-Identifier: GPL-2.0
//! What importers write is on the disk after an fsync.

use std::time::Duration;

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::Policy;

use super::common::{durable, hold, AGES};
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        buffer::by_udmabuf, expect::errno, DirectReader, Engine, Fill, Import, Mapped, Requirement,
    },
};

const WAYS: [Import; 3] = [Import::Revocable, Import::Fenced, Import::Static];

/// Folios of one page.
pub fn faulted(context: &Context) -> TestResult {
    both(context, Fill::Faulted)
}

/// Large folios.
pub fn written(context: &Context) -> TestResult {
    both(context, Fill::Written)
}

/// The second of two writes, between two fsyncs, for each way to import.
fn both(context: &Context, fill: Fill) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("dmabuf-import"), context.pages, fill)?;
    if context.side == Side::Stock {
        // What there is today takes memory of memfds only.
        let made = by_udmabuf(&mapped, mapped.length() as u64)?;
        return errno("udmabuf of a file", made, Errno::EBADFD);
    }
    let (lease, pin, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let mut generation = 0;
    for way in WAYS {
        let engine = Engine::open()?;
        engine
            .import(&buffer, way)
            .with_context(|| format!("{way:?}"))?;
        for _ in 0..2 {
            generation += 1;
            engine.write_all(generation)?;
            durable(&mapped, generation).with_context(|| format!("{way:?}"))?;
        }
    }
    drop(buffer);
    Ok(lease.unpin(pin)?)
}

/// An importer that never pauses, while fsync loops: nothing that was complete
/// before an fsync is lost, and no checksum is wrong.
pub fn running(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("dmabuf-run"), context.pages, Fill::Written)?;
    let (_lease, _, buffer) = hold(&mapped, Policy::Refuse, AGES)?;
    let engine = Engine::open()?;
    engine.import(&buffer, Import::Fenced)?;
    engine.start(1, Duration::ZERO)?;
    for _ in 0..context.rounds {
        let complete = engine.wait_passes(1)?.completed;
        mapped.file().sync_all()?;
        let reader = &mut DirectReader::open(mapped.path())?;
        let census = reader.census(mapped.pages(), Requirement::AtLeast(complete))?;
        census.all_kept()?;
    }
    engine.stop()?;
    ensure!(engine.status()?.passes > context.rounds, "it did not run");
    Ok(())
}
