// SPDX-License-Identifier: GPL-2.0
//! A loop device over a leased file: its discards punch holes, from a kernel
//! thread.

use std::time::Instant;

use anyhow::{ensure, Context as _, Result};

use super::{hold, one_refusal, SOON};
use crate::{
    harness::{Context, TestResult},
    support::{command::output, residue, Fill, Mapped, Stamp},
};

/// Large enough for a disk.
const PAGES: u64 = 256;

/// A loop device; dropping it removes it.
struct Loop(String);

impl Loop {
    fn over(mapped: &Mapped) -> Result<Self> {
        output("modprobe", &["loop"])?;
        let path = mapped.path().display().to_string();
        let device = output("losetup", &["--find", "--show", &path])?;
        Ok(Self(device.trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = output("losetup", &["--detach", &self.0]);
    }
}

/// The discard fails at once, and nothing is lost.
pub fn discard(context: &Context) -> TestResult {
    context.load_modules()?;
    let mapped = Mapped::create(&context.path("coexist-loop"), PAGES, Fill::Written)?;
    let device = Loop::over(&mapped)?;
    let mut holder = hold(&mapped)?;
    let begin = Instant::now();
    let result = output("blkdiscard", &["--force", &device.0]);
    let took = begin.elapsed();
    ensure!(took < SOON, "the discard waited {took:?}");
    let Err(error) = result else {
        anyhow::bail!("the discard of a leased file succeeded");
    };
    println!("a discard of a leased file: {error:#}");
    // By a kernel thread.
    let event = one_refusal(&mut holder)?;
    println!("refused: {event:?}");
    for page in 0..PAGES {
        let stamp = Stamp::read(&mapped.load(page), page);
        ensure!(stamp == Stamp::Whole(0), "page {page} is {stamp:?}");
    }
    holder.end()?;
    residue::none_left()?;
    output("blkdiscard", &["--force", &device.0]).context("when the lease is gone")?;
    drop(device);
    Ok(())
}
