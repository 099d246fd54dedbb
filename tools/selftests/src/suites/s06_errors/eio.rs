// SPDX-License-Identifier: GPL-2.0
//! The disk cannot write the blocks of the file, and all others.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::EventKind;

use super::story::{quiet, Fsync, Story};
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        data_blocks,
        expect::{errno, from_io},
        sysctl::hasty_flusher,
        FaultyDisk, Filesystem, Layer, Requirement, Scratch,
    },
};

/// Bytes of the smallest disk that mkfs accepts, or that is handy.
pub fn size_of(filesystem: Filesystem) -> u64 {
    match filesystem {
        Filesystem::Ext4 => 64 << 20,
        Filesystem::Xfs => 304 << 20,
        Filesystem::Btrfs => 128 << 20,
    }
}

/// fsyncs while the blocks cannot be written, and afterwards.
pub fn check(context: &Context) -> TestResult {
    context.load_modules()?;
    let _quiet = quiet()?;
    let filesystem = context.filesystem()?;
    let disk = FaultyDisk::over(context.device()?, size_of(filesystem))?;
    let scratch = Scratch::new(disk.path(), filesystem, Layer::Plain)?;
    let story = Story::begin(context, &scratch.dir().join("f"))?;
    let blocks = data_blocks(story.rig.mapped.file(), filesystem, disk.path())?;
    disk.fail_blocks(&blocks)?;
    // Twice: that an error was told does not make it good.
    for generation in [2, 3] {
        let result = story.fsync(generation, &[Errno::EIO])?;
        if context.side != Side::Stock {
            ensure!(result == Fsync::Failed(Errno::EIO), "{result:?}");
        }
    }
    disk.heal()?;
    story.is_saved(3)?;
    drop(story);
    Ok(())
}

/// Nobody asks for durability: only the tick and the flusher notice.
pub fn background(context: &Context) -> TestResult {
    context.load_modules()?;
    let _quiet = quiet()?;
    let filesystem = context.filesystem()?;
    let disk = FaultyDisk::over(context.device()?, size_of(filesystem))?;
    let scratch = Scratch::new(disk.path(), filesystem, Layer::Plain)?;
    let story = Story::begin(context, &scratch.dir().join("f"))?;
    let blocks = data_blocks(story.rig.mapped.file(), filesystem, disk.path())?;
    disk.fail_blocks(&blocks)?;
    let hasty = hasty_flusher()?;
    story.rig.engine.write_all(2)?;
    let begin = Instant::now();
    let events = loop {
        let events = story.errors()?;
        if !events.is_empty() {
            break events;
        }
        ensure!(begin.elapsed() < Duration::from_secs(20), "no event");
        thread::sleep(Duration::from_millis(50));
    };
    println!("after {:?}: {events:?}", begin.elapsed());
    let eio = EventKind::Error { errno: Errno::EIO };
    ensure!(events.iter().all(|event| event.kind == eio), "{events:?}");
    drop(hasty);
    story.lives()?;
    disk.heal()?;
    // Also who did not read the events must learn of it.
    let told = from_io(story.rig.mapped.file().sync_all());
    errno("the first fsync after it", told, Errno::EIO)?;
    story.errors()?;
    story.rig.fsync().context("the next one")?;
    story.rig.census(Requirement::Exactly(2))?.all_kept()?;
    story.is_saved(2)?;
    drop(story);
    Ok(())
}
