// SPDX-License-Identifier: GPL-2.0
//! The disk cannot write the blocks of the file, and all others.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _};
use nix::errno::Errno;
use pinlease::EventKind;

use super::story::{Fsync, Ground};
use crate::{
    harness::{Context, Side, TestResult},
    support::{
        expect::{errno, from_io},
        sysctl::hasty_flusher,
        Requirement,
    },
};

/// fsyncs while the blocks cannot be written, and afterwards.
pub fn check(context: &Context) -> TestResult {
    let ground = Ground::new(context)?;
    ground.fail_data()?;
    let story = &ground.story;
    // Twice: that an error was told does not make it good.
    for generation in [2, 3] {
        let result = story.fsync(generation, &[Errno::EIO])?;
        if context.side != Side::Stock {
            ensure!(result == Fsync::Failed(Errno::EIO), "{result:?}");
        }
    }
    ground.disk.heal()?;
    story.is_saved(3)
}

/// Nobody asks for durability: only the tick and the flusher notice.
pub fn background(context: &Context) -> TestResult {
    let ground = Ground::new(context)?;
    ground.fail_data()?;
    let story = &ground.story;
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
    ground.disk.heal()?;
    // Also who did not read the events must learn of it.
    let told = from_io(story.rig.mapped.file().sync_all());
    errno("the first fsync after it", told, Errno::EIO)?;
    story.errors()?;
    story.rig.fsync().context("the next one")?;
    story.rig.census(Requirement::Exactly(2))?.all_kept()?;
    story.is_saved(2)
}
