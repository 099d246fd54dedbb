// SPDX-License-Identifier: GPL-2.0
//! The filesystem shuts down, or its disk is gone: nothing can be saved any
//! more, and everything must end.

use std::{
    fs::File,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::{
    eio::size_of,
    story::{quiet, Fsync, Story},
};
use crate::{
    harness::{Context, TestResult},
    support::{modules, FaultyDisk, Layer, Scratch},
};

/// "Within seconds", under emulation.
const LIMIT: Duration = Duration::from_secs(20);

/// What fsync may say.
const CAUSES: [Errno; 3] = [Errno::EIO, Errno::EROFS, Errno::ESHUTDOWN];

/// `FS_SHUTDOWN_FLAGS_NOLOGFLUSH` of linux/fs.h.
const NO_LOG_FLUSH: u32 = 2;

mod command {
    // The kernel reads the number, whatever the command's says.
    nix::ioctl_read!(shut_down, b'X', 125, u32);
}

/// `FS_IOC_SHUTDOWN`.
pub fn shutdown(context: &Context) -> TestResult {
    ends(context, |scratch, _| {
        let dir = File::open(scratch.dir())?;
        let mut flags = NO_LOG_FLUSH;
        // SAFETY: the number lives during the call.
        unsafe { command::shut_down(dir.as_raw_fd(), &mut flags) }.context("FS_IOC_SHUTDOWN")?;
        Ok(())
    })
}

/// The disk does nothing any more.
pub fn device(context: &Context) -> TestResult {
    ends(context, |_, disk| disk.fail())
}

fn ends(context: &Context, end: fn(&Scratch, &FaultyDisk) -> Result<()>) -> TestResult {
    context.load_modules()?;
    let _quiet = quiet()?;
    let filesystem = context.filesystem()?;
    let disk = FaultyDisk::over(context.device()?, size_of(filesystem))?;
    let scratch = Scratch::new(disk.path(), filesystem, Layer::Plain)?;
    let story = Story::begin(context, &scratch.dir().join("f"))?;
    end(&scratch, &disk)?;
    for generation in [2, 3] {
        let result = soon("fsync", || story.fsync(generation, &CAUSES))??;
        ensure!(result != Fsync::Saved, "fsync says that it saved");
    }
    // What the device writes reaches memory.
    story.rig.engine.write_all(4)?;
    soon("the end of the lease", || drop(story))?;
    soon("umount", || -> Result<()> {
        let begin = Instant::now();
        while let Err(errno) = scratch.umount() {
            ensure!(begin.elapsed() < LIMIT, "umount: {errno}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })??;
    drop(scratch);
    soon("rmmod", modules::unload_all)?
}

/// Runs `action` and asserts that it ends soon.
fn soon<T>(what: &str, action: impl FnOnce() -> T) -> Result<T> {
    let begin = Instant::now();
    let result = action();
    let elapsed = begin.elapsed();
    println!("{what}: {elapsed:?}");
    ensure!(elapsed < LIMIT, "{what} took {elapsed:?}");
    Ok(result)
}
