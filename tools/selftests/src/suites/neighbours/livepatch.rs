// SPDX-License-Identifier: GPL-2.0
//! A livepatch of `vma_needs_dirty_tracking`: `samples/livepatch`.

use std::{fs, path::Path};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use super::{Begin, Neighbour, LIMIT, PAGES};
use crate::{
    harness::Context,
    support::{expect::errno, modules, page_size, proc::wait_for, Engine, Fill, Mapped},
};

const MODULE: &str = "patch_tracking";

/// Dropping it takes the patch away.
struct Patch;

pub(super) fn livepatch(context: &Context) -> Result<Begin> {
    match modules::load(&context.modules, MODULE) {
        Ok(()) => {}
        Err(error) if error.downcast_ref() == Some(&Errno::EBUSY) => {
            return Ok(Begin::Refused(format!("{error:#}")));
        }
        Err(error) => return Err(error),
    }
    let patch = Patch;
    wait_for("all tasks are patched", LIMIT, || {
        Ok(read("transition")? == "0")
    })?;
    Ok(Begin::Runs(Box::new(patch)))
}

fn read(name: &str) -> Result<String> {
    let path = Path::new("/sys/kernel/livepatch").join(MODULE).join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.trim().to_owned())
}

impl Neighbour for Patch {
    /// A long-term pin asks the function, and is refused.
    fn hits(&mut self, context: &Context) -> Result<Option<u64>> {
        let mapped = Mapped::create(&context.path("patched"), PAGES, Fill::Faulted)?;
        let engine = Engine::open()?;
        let pinned = engine.pin_raw(mapped.address(0), page_size(), true);
        errno("a long-term pin without a lease", pinned, Errno::EFAULT)?;
        let path = Path::new("/sys/module")
            .join(MODULE)
            .join("parameters/calls");
        Ok(Some(fs::read_to_string(path)?.trim().parse()?))
    }

    fn end(self: Box<Self>) -> Result<()> {
        drop(self);
        ensure!(!modules::is_loaded(MODULE), "the patch is still there");
        Ok(())
    }
}

impl Drop for Patch {
    fn drop(&mut self) {
        let path = Path::new("/sys/kernel/livepatch").join(MODULE);
        let _ = fs::write(path.join("enabled"), "0");
        let _ = wait_for("the patch is undone", LIMIT, || Ok(!path.exists()));
        let _ = wait_for("its module is gone", LIMIT, || {
            Ok(modules::unload(MODULE).is_ok())
        });
    }
}
