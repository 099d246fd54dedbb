// SPDX-License-Identifier: GPL-2.0
//! A process that cuts a file off, gets its freed pages as memory, and keeps
//! something there.

use std::{
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use nix::{
    sched::{sched_setaffinity, CpuSet},
    sys::mman::{mmap_anonymous, MapFlags, ProtFlags},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use crate::support::{
    channel::{channel, readable, Receiver, Sender},
    edu::rig,
    page_frame, page_size,
    process::Tied,
    sysctl::drop_caches,
};

/// How long it may look for the pages.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pages that it takes at most.
const MOST: usize = 32 << 10;

/// What the process has in all its memory.
const PATTERN: u8 = 0xa5;

/// What it says.
#[derive(Debug, Deserialize, Serialize)]
enum Said {
    /// So many of the pages are its memory now.
    Has(u64),
    /// So many bytes of its memory have changed.
    Changed(u64),
}

/// The process.
#[derive(Debug)]
pub struct Successor {
    _process: Tied,
    said: Receiver<Said>,
    look: Sender<()>,
}

impl Successor {
    /// Truncates the file at `path` in another process, which then takes memory
    /// until it has these frames.
    ///
    /// # Errors
    ///
    /// It does not get any of them.
    pub fn of(path: PathBuf, frames: Vec<u64>) -> Result<Self> {
        let (sender, said) = channel()?;
        let (look, orders) = channel::<()>()?;
        let process = Tied::spawn(move || {
            run_on(0)?;
            rig::truncate(&path, 0)?;
            let (mut memory, mut found) = take(&frames)?;
            if found == 0 {
                // Another processor had a last reference to them, and may still have it.
                drop_caches()?;
                run_on(1)?;
                let (more, found_there) = take(&frames)?;
                memory.extend(more);
                found += found_there;
            }
            sender.send(&Said::Has(found))?;
            ensure!(
                readable(orders.as_fd(), 3 * PATIENCE)?,
                "nobody asks what has changed"
            );
            let changed = memory.iter().map(|page| changed(*page)).sum();
            sender.send(&Said::Changed(changed))
        })?;
        let mut successor = Self {
            _process: process,
            said,
            look,
        };
        match successor.said.receive(PATIENCE)? {
            Some(Said::Has(found)) if found > 0 => Ok(successor),
            other => bail!("the freed pages were not got: {other:?}"),
        }
    }

    /// Bytes of its memory that somebody else has changed.
    ///
    /// # Errors
    ///
    /// It is gone.
    pub fn changed(mut self) -> Result<u64> {
        self.look.send(&())?;
        match self.said.receive(PATIENCE)? {
            Some(Said::Changed(bytes)) => Ok(bytes),
            other => bail!("the process that has the memory: {other:?}"),
        }
    }
}

/// From now on only there: freed pages are given again first on the processor where they were freed.
fn run_on(processor: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(processor)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
}

/// Takes memory until all `frames` are found in it, or there is no more; returns
/// its pages, and how many of the frames are among them.
fn take(frames: &[u64]) -> Result<(Vec<*mut u8>, u64)> {
    let begin = Instant::now();
    let length = (MOST * page_size()).try_into().context("no size")?;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let memory = unsafe {
        mmap_anonymous(
            None,
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
        )
    };
    let memory = memory.context("mmap")?.cast::<u8>().as_ptr();
    // SAFETY: the mapping is ours; small pages are what was freed.
    unsafe { libc::madvise(memory.cast(), MOST * page_size(), libc::MADV_NOHUGEPAGE) };
    let mut pages = Vec::new();
    let mut found = 0;
    for number in 0..MOST {
        let page = memory.wrapping_add(number * page_size());
        // SAFETY: within the mapping, which is ours.
        unsafe { page.write_bytes(PATTERN, page_size()) };
        pages.push(page);
        if frames.contains(&page_frame(page)?) {
            found += 1;
        }
        if found == frames.len() as u64 || begin.elapsed() > PATIENCE / 3 {
            break;
        }
    }
    Ok((pages, found))
}

/// Bytes of a page that are not as they were.
fn changed(page: *mut u8) -> u64 {
    (0..page_size())
        .filter(|&offset| {
            // SAFETY: within the mapping, which is ours.
            unsafe { page.wrapping_add(offset).read_volatile() != PATTERN }
        })
        .count() as u64
}
