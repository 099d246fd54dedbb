// SPDX-License-Identifier: GPL-2.0
//! The filesystem shuts down, or its disk is gone: nothing can be saved any
//! more, and everything must end.

use anyhow::{ensure, Result};
use nix::errno::Errno;

use super::story::{Fsync, Ground};
use crate::{
    harness::{Context, TestResult},
    support::{modules, soon::soon},
};

/// What fsync may say.
const CAUSES: [Errno; 3] = [Errno::EIO, Errno::EROFS, Errno::ESHUTDOWN];

/// `FS_IOC_SHUTDOWN`.
pub fn shutdown(context: &Context) -> TestResult {
    ends(context, |ground| ground.scratch.cut_power())
}

/// The disk does nothing any more.
pub fn device(context: &Context) -> TestResult {
    ends(context, |ground| ground.disk.fail())
}

fn ends(context: &Context, end: fn(&Ground) -> Result<()>) -> TestResult {
    let ground = Ground::new(context)?;
    end(&ground)?;
    for generation in [2, 3] {
        let result = soon("fsync", || ground.story.fsync(generation, &CAUSES))??;
        ensure!(result != Fsync::Saved, "fsync says that it saved");
    }
    // What the device writes reaches memory.
    ground.story.rig.engine.write_all(4)?;
    let Ground {
        story,
        scratch,
        disk: _disk,
        ..
    } = ground;
    soon("the end of the lease", || drop(story))?;
    soon("umount", || scratch.umount_soon())??;
    drop(scratch);
    soon("rmmod", modules::unload_all)?
}
