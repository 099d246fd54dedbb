// SPDX-License-Identifier: GPL-2.0
//! Scenario 5: reclaim while pages are pinned and written.

use std::{fs, path::PathBuf};

use anyhow::{ensure, Context as _, Result};
use nix::mount::{mount, MsFlags};

use crate::{
    harness::{Context, Side, Test, TestResult},
    support::{sysctl::drop_caches, Census, DirectReader, Fill, Requirement, RigOptions},
};

/// The tests of this suite.
pub const TESTS: &[Test] = &[
    Test::controlled("s05-reclaim.faulted", |cx| check(cx, Fill::Faulted)).granted(),
    Test::controlled("s05-reclaim.written", |cx| check(cx, Fill::Written)).granted(),
];

/// Rounds of reclaim.
const ROUNDS: u64 = 10;

/// A memory cgroup that this process is in; dropping it leaves and removes it.
struct Cgroup {
    root: PathBuf,
    own: PathBuf,
}

impl Cgroup {
    fn enter() -> Result<Self> {
        let root = PathBuf::from("/sys/fs/cgroup");
        if !root.join("cgroup.procs").exists() {
            mount(
                Some("cgroup2"),
                &root,
                Some("cgroup2"),
                MsFlags::empty(),
                None::<&str>,
            )
            .context("mounting cgroup2")?;
        }
        // Fails where it is enabled already and processes are beside it.
        let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
        let own = root.join("pinlease-selftest");
        let _ = fs::remove_dir(&own);
        fs::create_dir(&own)?;
        let cgroup = Self { root, own };
        fs::write(cgroup.own.join("cgroup.procs"), "0").context("entering the cgroup")?;
        ensure!(
            cgroup.own.join("memory.reclaim").exists(),
            "no memory.reclaim"
        );
        Ok(cgroup)
    }

    /// Asks for more than there is: the answer EAGAIN is as good as success.
    fn reclaim(&self) {
        let _ = fs::write(self.own.join("memory.reclaim"), "64M");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.root.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(&self.own);
    }
}

/// Writes, reclaims, writes, …, without an fsync; unpins, reads the disk.
fn measure(context: &Context, fill: Fill) -> Result<Census> {
    context.load_modules()?;
    let cgroup = Cgroup::enter();
    if let Err(error) = &cgroup {
        println!("only drop_caches, no memory.reclaim: {error:#}");
    }
    let options = RigOptions::new(context.side, context.pages, fill);
    let rig = options.build(&context.path("s05"))?;
    rig.engine.write_all(1)?;
    rig.fsync()?;
    for generation in 2..2 + ROUNDS {
        rig.engine.write_all(generation)?;
        drop_caches()?;
        if let Ok(cgroup) = &cgroup {
            cgroup.reclaim();
        }
    }
    let mapped = rig.release()?;
    drop_caches()?;
    DirectReader::open(mapped.path())?.census(mapped.pages(), Requirement::Exactly(1 + ROUNDS))
}

fn check(context: &Context, fill: Fill) -> TestResult {
    let census = measure(context, fill)?;
    println!("{census}");
    match context.side {
        Side::Pinlease | Side::Grant => census.all_kept(),
        Side::Stock => {
            ensure!(census.lost > 0, "the control shows no loss: {census}");
            Ok(())
        }
    }
}
