// SPDX-License-Identifier: GPL-2.0
//! btrfs compresses pages where there is no bio yet: those that a device may
//! write it must not.
//!
//! The first half of the file is pinned, the second is not.

use std::{collections::BTreeSet, path::Path};

use anyhow::{ensure, Context as _, Result};
use nix::mount::MsFlags;

use super::under_fire;
use crate::{
    harness::{skip, Context, Side, TestResult},
    suites::s02_tearing::judge,
    support::{
        command::output, flags, proc::hook_hits, DirectReader, Filesystem, Fill, Layer, Mapped,
        RigOptions, Scratch, Stamp,
    },
};

/// How the file comes to be compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// By an option from the beginning.
    Option,
    /// By an option that is set when it is leased already.
    Remount,
    /// By `chattr +c` when it is leased already.
    Attribute,
}

/// What looks compressible.
pub fn option(context: &Context) -> TestResult {
    check(context, "compress=zstd", Way::Option)
}

/// Everything.
pub fn forced(context: &Context) -> TestResult {
    check(context, "compress-force=lzo", Way::Option)
}

/// One file.
pub fn attribute(context: &Context) -> TestResult {
    check(context, "", Way::Attribute)
}

/// From then on.
pub fn remount(context: &Context) -> TestResult {
    check(context, "compress-force=zlib", Way::Remount)
}

fn check(context: &Context, options: &'static str, way: Way) -> TestResult {
    let filesystem = context.filesystem()?;
    if filesystem != Filesystem::Btrfs {
        return skip("only btrfs compresses");
    }
    context.load_modules()?;
    let first = if way == Way::Remount { "" } else { options };
    let scratch = Scratch::with(context.device()?, filesystem, Layer::Plain, &[], first)?;
    let pinned = context.pages / 2;
    let rig = RigOptions::new(context.side, context.pages, Fill::Written)
        .pin(0, pinned)
        .build(&scratch.dir().join("f"))?;
    match way {
        Way::Option => {}
        Way::Remount => scratch.mount_with(options, MsFlags::MS_REMOUNT)?,
        Way::Attribute => flags::add(rig.mapped.file(), flags::COMPRESS)?,
    }
    let before = compressions(context)?;
    let mut outcome = under_fire(&rig, context)?;
    outcome.judged = judge(&scratch)?;
    let compressed = compressed_pages(rig.mapped.path())?;
    println!("{} pages are compressed", compressed.len());
    if context.side == Side::Stock {
        let seen = compressed.iter().any(|&page| page < pinned);
        ensure!(
            seen,
            "the control compresses nothing that the device writes"
        );
        return Ok(());
    }
    ensure!(
        compressions(context)? > before,
        "nothing was to be compressed"
    );
    ensure!(
        compressed.iter().all(|&page| page >= pinned),
        "pinned pages were compressed"
    );
    outcome.check(context.side)?;
    let last = rig.engine.status()?.completed + 2;
    rig.engine.write_all(last)?;
    rig.fsync()?;
    let file = rig.release()?;
    from_the_disk(&file, pinned, last)
}

/// Reads all by way of a clone, which has no pages in memory.
fn from_the_disk(file: &Mapped, pinned: u64, last: u64) -> TestResult {
    let clone = file.path().with_extension("clone");
    let path = |path: &Path| path.to_string_lossy().into_owned();
    output(
        "cp",
        &["--reflink=always", &path(file.path()), &path(&clone)],
    )?;
    let mut reader = DirectReader::open(&clone)?;
    for page in 0..file.pages() {
        let expected = Stamp::Whole(if page < pinned { last } else { 0 });
        let found = reader.stamp(page, page)?;
        ensure!(
            found == expected,
            "page {page}: {found:?}, not {expected:?}"
        );
    }
    Ok(())
}

/// How often btrfs was about to compress.
fn compressions(context: &Context) -> Result<u64> {
    if context.side == Side::Stock {
        return Ok(0);
    }
    Ok(hook_hits()?["btrfs_compress_bio"])
}

/// Pages of `file` that are compressed on the disk.
fn compressed_pages(file: &Path) -> Result<BTreeSet<u64>> {
    let extents = output(
        "filefrag",
        &["-v".as_ref(), "-b4096".as_ref(), file.as_os_str()],
    )?;
    let mut pages = BTreeSet::new();
    // Number: first.. last: first.. last: count: expected: flags
    for line in extents.lines().filter(|line| line.contains("encoded")) {
        let range = line
            .split(':')
            .nth(1)
            .and_then(|range| range.split_once(".."));
        let (first, last) = range.with_context(|| format!("extent '{line}'"))?;
        pages.extend(first.trim().parse::<u64>()?..=last.trim().parse()?);
    }
    Ok(pages)
}
