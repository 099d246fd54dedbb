// SPDX-License-Identifier: GPL-2.0
//! btrfs has the contents of a small file in its metadata, and copies them
//! there itself: no bio carries the page.

use std::{fs::File, io::Write, os::unix::fs::FileExt, path::Path, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::sys::mman::munmap;
use pinlease::{map_shared, Device, PinOptions, Policy};

use crate::{
    harness::{skip, Context, Side, TestResult},
    suites::s02_tearing::judge,
    support::{command::output, page_size, Engine, Filesystem, Layer, Scratch, Stamp},
};

/// Bytes of the file: no more than fit (`max_inline`), and whole stamps.
const BYTES: usize = 2000;

/// As it is.
pub fn plain(context: &Context) -> TestResult {
    check(context, "")
}

/// btrfs would compress it.
pub fn compressed(context: &Context) -> TestResult {
    check(context, "compress-force=zstd")
}

fn check(context: &Context, options: &'static str) -> TestResult {
    let filesystem = context.filesystem()?;
    if filesystem != Filesystem::Btrfs {
        return skip("only btrfs has contents in its metadata");
    }
    context.load_modules()?;
    let scratch = Scratch::with(context.device()?, filesystem, Layer::Plain, &[], options)?;
    let path = scratch.dir().join("f");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    file.write_all(&[0; BYTES])?;
    file.sync_all()?;
    let address = map_shared(&file, 0, page_size())?;
    let engine = Engine::open()?;
    let lease = Device::open()?
        .lease(&file)
        .range(0, page_size() as u64)
        .policy(Policy::Refuse)
        .grant(context.side == Side::Grant)
        .acquire()?;
    if context.side == Side::Grant {
        engine.pin_raw(address.as_ptr(), page_size(), true)?;
    } else {
        let pin = lease.pin(address.as_ptr(), page_size(), PinOptions::default())?;
        engine.attach(&lease, pin.into_id())?;
    }
    for _ in 0..context.rounds.div_ceil(10) {
        running(&scratch, &engine, &file)?;
    }
    let last = engine.status()?.completed + 2;
    engine.write_all(last)?;
    file.sync_all()?;
    let found = on_the_disk(&scratch)?;
    ensure!(
        found == Stamp::Whole(last),
        "{found:?}, not generation {last}"
    );
    let extents = output("filefrag", &["-v".as_ref(), path.as_os_str()])?;
    ensure!(
        extents.contains("inline") && !extents.contains("encoded"),
        "not inline, or compressed: {extents}"
    );
    ensure!(judge(&scratch)? == 0, "errors found");
    drop((engine, lease));
    // SAFETY: the mapping is ours, and nothing refers to it any more.
    unsafe { munmap(address.cast(), page_size()) }.context("munmap")
}

/// While the device writes, fsync keeps what it had written before.
fn running(scratch: &Scratch, engine: &Engine, file: &File) -> Result<()> {
    engine.start(1, Duration::ZERO)?;
    let published = engine.wait_passes(1)?.completed;
    file.sync_all().context("fsync")?;
    let found = on_the_disk(scratch)?;
    engine.stop()?;
    let oldest = match found {
        Stamp::Whole(oldest) | Stamp::Mixed { oldest, .. } => oldest,
        Stamp::Foreign => anyhow::bail!("garbage"),
    };
    ensure!(
        oldest >= published,
        "{oldest}, after {published} was written"
    );
    Ok(())
}

/// What the filesystem has of the file: that of a snapshot, whose page is not in
/// memory.
fn on_the_disk(scratch: &Scratch) -> Result<Stamp> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (source, copy) = (text(scratch.dir()), text(&scratch.dir().join("copy")));
    output("btrfs", &["subvolume", "snapshot", "-r", &source, &copy])?;
    let mut bytes = [0; BYTES];
    File::open(scratch.dir().join("copy/f"))?.read_exact_at(&mut bytes, 0)?;
    output("btrfs", &["subvolume", "delete", &copy])?;
    Ok(Stamp::read(&bytes, 0))
}
