// SPDX-License-Identifier: GPL-2.0
//! Scenario 17: O_DIRECT reads of a file into its own leased mapping, during
//! fsync: no deadlock, right data.

use std::{
    fs::OpenOptions,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use crate::{
    harness::{Context, Test, TestResult},
    support::{page_size, process, DirectReader, Fill, Mapped, RigOptions, Stamp},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::new("s17-direct-io.other-page", |cx| check(cx, 1)).granted(),
    Test::new("s17-direct-io.same-page", |cx| check(cx, 0)).granted(),
];

/// Rounds of the reader and of fsync.
const ROUNDS: usize = 30;

/// Reads page 0 of the file into page `to` of its own mapping.
fn read_into(mapped: &Mapped, to: u64) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(mapped.path())?;
    for round in 0..ROUNDS {
        // SAFETY: the page is mapped, and nothing refers to it but raw pointers.
        let result =
            unsafe { libc::pread(file.as_raw_fd(), mapped.address(to).cast(), page_size(), 0) };
        let length = Errno::result(result).with_context(|| format!("read {round}"))?;
        ensure!(length == page_size() as isize, "read {length} bytes");
    }
    Ok(())
}

fn check(context: &Context, to: u64) -> TestResult {
    context.load_modules()?;
    let options = RigOptions::new(context.side, 4, Fill::Faulted);
    let rig = options.build(&context.path("s17"))?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    let mapped = &rig.mapped;
    let reader = process::spawn(move || read_into(mapped, to))?;
    for _ in 0..ROUNDS {
        rig.fsync()?;
    }
    reader.join()?;
    rig.fsync()?;

    // Page `to` holds page 0 now, in memory and on the disk.
    let memory = Stamp::read(&rig.mapped.load(to), 0);
    let disk = DirectReader::open(rig.mapped.path())?.stamp(to, 0)?;
    ensure!(memory == Stamp::Whole(1), "the memory has {memory:?}");
    ensure!(disk == Stamp::Whole(1), "the disk has {disk:?}");
    Ok(())
}
