// SPDX-License-Identifier: GPL-2.0
//! Scenario 3, as far as a guest whose power stays on can tell: who asked for
//! durability and got an answer has had the disk flush its cache. The power cuts
//! themselves are `tools/crash`.

use std::os::unix::fs::FileExt;

use anyhow::{ensure, Context as _};

use crate::{
    harness::{skip, Context, Side, Test, TestResult},
    support::{
        page_size, sysctl::idle_flusher, Filesystem, Fill, Layer, Mapped, RigOptions, Scratch,
        WriteCounter,
    },
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[Test::controlled("s03-power-cut.syncfs", syncfs).granted()];

const PAGES: u64 = 16;

/// syncfs(2) of a file whose blocks are there, and whose timestamps another
/// file's fsync has just written. XFS has nothing to log then, and flushes only
/// when it logs something; so with a leased file pinlease flushes.
fn syncfs(context: &Context) -> TestResult {
    let filesystem = context.filesystem()?;
    if context.side == Side::Stock && filesystem != Filesystem::Xfs {
        return skip("only XFS forgets to flush");
    }
    context.load_modules()?;
    let scratch = Scratch::new(context.device()?, filesystem, Layer::Plain)?;
    let _idle = idle_flusher()?;
    let options = RigOptions::new(context.side, PAGES, Fill::Written);
    let _rig = options.build(&scratch.dir().join("pinned"))?;
    let [file, other] = ["file", "other"]
        .map(|name| Mapped::create(&scratch.dir().join(name), PAGES, Fill::Written));
    let (file, other) = (file?, other?);
    nix::unistd::sync();

    let bytes = vec![0x5a; PAGES as usize * page_size()];
    file.file().write_all_at(&bytes, 0)?;
    other.file().write_all_at(&bytes, 0)?;
    other.file().sync_all().context("the other file's fsync")?;
    let counter = WriteCounter::of(scratch.dir())?;
    nix::unistd::syncfs(file.file()).context("syncfs")?;
    let (written, flushes) = (counter.bytes()?, counter.flushes()?);
    println!("{written} bytes written, {flushes} flushes");
    ensure!(
        written >= bytes.len() as u64,
        "syncfs did not write the file"
    );
    if context.side == Side::Stock {
        ensure!(flushes == 0, "the stock kernel flushes now");
    } else {
        ensure!(flushes > 0, "nobody flushed");
    }
    Ok(())
}
