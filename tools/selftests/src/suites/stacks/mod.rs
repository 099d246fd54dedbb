// SPDX-License-Identifier: GPL-2.0
//! Scenario 2 on other storage: whatever reads the pages on their way to the
//! disk, a device that never pauses does not spoil what it makes of them.
//!
//! Whether a page that changes meanwhile does harm without pinlease depends on
//! how often a layer reads it: once (AES-XTS, the stripe cache of raid5), and
//! nothing shows; twice at nearly the same time (the legs of raid1), and it
//! shows rarely.  These have no control.

mod compression;
mod fscrypt;
mod inline;
mod layers;

use std::time::Duration;

use anyhow::{ensure, Result};

use crate::{
    harness::{Context, Side, Test},
    support::{Census, DirectReader, Requirement, Rig},
};

/// Each of these many tests has a third of the rounds of others.
const SHARE: u64 = 3;

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("stacks.crypt", layers::crypt),
    Test::new("stacks.mirror", layers::mirror),
    Test::new("stacks.parity", layers::parity),
    Test::controlled("stacks.protected-disk", layers::protected_disk).granted(),
    Test::controlled("stacks.fscrypt-adiantum", fscrypt::adiantum).granted(),
    Test::new("stacks.fscrypt-aes-xts", fscrypt::aes_xts),
    Test::controlled("stacks.fscrypt-inlinecrypt", fscrypt::inlinecrypt),
    Test::controlled("stacks.compress", compression::option),
    Test::controlled("stacks.compress-force", compression::forced),
    Test::controlled("stacks.compress-attribute", compression::attribute),
    Test::controlled("stacks.compress-remount", compression::remount),
    Test::new("stacks.inline", inline::plain),
    Test::new("stacks.inline-compressed", inline::compressed),
];

/// What fsyncs under a running device came to.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// What was read back.
    census: Census,
    /// Fsyncs that failed, as the control may.
    failed: u64,
    /// What those found that look at everything.
    judged: u64,
}

impl Outcome {
    /// With a lease all is well; without, something was spoiled.
    fn check(self, side: Side) -> Result<()> {
        let Self {
            census,
            failed,
            judged,
        } = self;
        println!("{census}, {failed} fsyncs failed, {judged} errors found");
        if side == Side::Stock {
            let spoiled = census.lost + census.torn + failed + judged;
            ensure!(spoiled > 0, "the control shows no error");
            return Ok(());
        }
        ensure!(failed == 0 && judged == 0, "failed, or found errors");
        census.all_kept()
    }
}

/// `rounds` times: fsync under the running device, then read back what it
/// writes, which is the beginning of the file.
fn under_fire(rig: &Rig, context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let pages = rig.engine.status()?.pages;
    rig.engine.start(1, Duration::ZERO)?;
    for _ in 0..context.rounds.div_ceil(SHARE) {
        let published = rig.engine.wait_passes(1)?.completed;
        if context.side == Side::Stock {
            rig.mapped.touch()?;
        }
        match rig.fsync() {
            Err(_) if context.side == Side::Stock => outcome.failed += 1,
            result => result?,
        }
        let mut reader = DirectReader::open(rig.mapped.path())?;
        let census = reader.census(pages, Requirement::AtLeast(published))?;
        outcome.census.add(census);
    }
    rig.engine.stop()?;
    Ok(outcome)
}
