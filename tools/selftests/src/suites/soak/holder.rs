// SPDX-License-Identifier: GPL-2.0
//! Who holds a lease: its device writes, it asks for durability in one of the
//! ways that there are, and looks at the disk.

use std::ops::Range;

use anyhow::{ensure, Context as _, Result};

use super::{
    layout::{Device, DEVICES},
    tally::Count,
    Ground,
};
use crate::{
    harness::TestResult,
    support::{page_size, DirectReader, Requirement, Rig},
};

/// Runs one device until the end.
pub fn run(ground: &Ground, device: &Device) -> TestResult {
    let number = DEVICES.iter().position(|other| other.name == device.name);
    let mut random = ground.random(number.unwrap_or(0) as u64);
    let rig = device.options().build(&device.path(ground))?;
    let mut reader = DirectReader::open(rig.mapped.path())?;
    rig.engine.start(1, device.pause)?;
    let mut seen = Seen::default();
    let mut rounds = 0;
    ground.until_stopped(|| {
        let status = rig.engine.wait_passes(1)?;
        round(
            ground,
            device,
            &rig,
            &mut reader,
            &mut random,
            status.completed,
        )
        .with_context(|| format!("{}, round {rounds}", device.name))?;
        seen.report(ground, &rig, status.passes)?;
        if rounds == 0 {
            ground.tally.count(Count::Ready);
        }
        rounds += 1;
        Ok(())
    })?;
    rig.engine.stop()?;
    if rounds == 0 {
        // Another part failed meanwhile; the device may not have written yet.
        return Ok(());
    }
    let last = rig.engine.status()?;
    let all = 0..device.leased.end - device.leased.start;
    mark(device, &rig, &all)?;
    rig.fsync()?;
    look(ground, device, &mut reader, all, last.completed)?;
    seen.report(ground, &rig, last.passes)
}

/// What was added to the tally already.
#[derive(Default)]
struct Seen {
    passes: u64,
    snapshots: u64,
    rearmed: u64,
    errors: u64,
}

impl Seen {
    fn report(&mut self, ground: &Ground, rig: &Rig, passes: u64) -> TestResult {
        let query = rig.lease()?.query()?;
        for (what, old, new) in [
            (Count::Passes, &mut self.passes, passes),
            (Count::Snapshots, &mut self.snapshots, query.snapshots),
            (Count::Rearmed, &mut self.rearmed, query.rearmed),
            (Count::Errors, &mut self.errors, query.errors),
        ] {
            ground.tally.add(what, new.saturating_sub(*old));
            *old = new;
        }
        Ok(())
    }
}

fn round(
    ground: &Ground,
    device: &Device,
    rig: &Rig,
    reader: &mut DirectReader,
    random: &mut fastrand::Rng,
    published: u64,
) -> TestResult {
    let count = device.leased.end - device.leased.start;
    let mut part = 0..count;
    if random.bool() {
        let first = random.u64(..count);
        part = first..random.u64(first + 1..=count);
    }
    mark(device, rig, &part)?;
    match random.u8(..5) {
        0 => rig.fsync()?,
        1 => rig.mapped.file().sync_data().context("fdatasync")?,
        2 => nix::unistd::syncfs(rig.mapped.file()).context("syncfs")?,
        _ => {
            let first = device.leased.start + part.start;
            let synced = rig.mapped.msync(first, part.end - part.start);
            synced.context("msync")?;
        }
    }
    look(ground, device, reader, part, published)
}

/// Says what the device wrote, where it has to be said.
fn mark(device: &Device, rig: &Rig, part: &Range<u64>) -> TestResult {
    if device.marked {
        let size = page_size() as u64;
        let offset = (device.leased.start + part.start) * size;
        rig.lease()?.mark(offset, (part.end - part.start) * size)?;
    }
    Ok(())
}

/// The disk has what was published.
fn look(
    ground: &Ground,
    device: &Device,
    reader: &mut DirectReader,
    part: Range<u64>,
    published: u64,
) -> Result<()> {
    let pages = part.end - part.start;
    let required = Requirement::AtLeast(published);
    let census = reader.part(
        device.leased.start + part.start,
        pages,
        part.start,
        required,
    )?;
    ground.tally.census(census);
    ground.tally.count(Count::Rounds);
    ensure!(
        census.kept == pages,
        "pages {part:?}, generation {published}: {census}"
    );
    Ok(())
}
