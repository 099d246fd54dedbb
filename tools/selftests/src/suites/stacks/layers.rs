// SPDX-License-Identifier: GPL-2.0
//! Below the filesystem.

use super::under_fire;
use crate::{
    harness::{skip, Context, TestResult},
    suites::s02_tearing::judge,
    support::{Filesystem, Fill, Layer, RigOptions, Scratch},
};

/// The rounds that `check` asks for when nobody says.
const USUAL_ROUNDS: u64 = 30;

/// dm-crypt.
pub fn crypt(context: &Context) -> TestResult {
    check(context, Layer::Crypt)
}

/// md-raid1.
pub fn mirror(context: &Context) -> TestResult {
    array(context, Layer::Mirror)
}

/// md-raid5.
pub fn parity(context: &Context) -> TestResult {
    array(context, Layer::Parity)
}

/// More than a minute each, where btrfs has arrays of its own.
fn array(context: &Context, layer: Layer) -> TestResult {
    if context.filesystem()? == Filesystem::Btrfs && context.rounds <= USUAL_ROUNDS {
        return skip("takes long on btrfs; runs with more --rounds");
    }
    check(context, layer)
}

/// A disk with protection information (T10-PI).
pub fn protected_disk(context: &Context) -> TestResult {
    check(context, Layer::Protected)
}

fn check(context: &Context, layer: Layer) -> TestResult {
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, context.filesystem()?, layer)?;
    let options = RigOptions::new(context.side, context.pages, Fill::Written);
    let rig = options.build(&scratch.dir().join("f"))?;
    let mut outcome = under_fire(&rig, context)?;
    outcome.judged = judge(&scratch)?;
    drop(rig.release());
    outcome.check(context.side)
}
