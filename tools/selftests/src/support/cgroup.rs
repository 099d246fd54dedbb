// SPDX-License-Identifier: GPL-2.0
//! A memory cgroup, to reclaim from.

use std::{fs, path::PathBuf};

use anyhow::{ensure, Context, Result};
use nix::mount::{mount, MsFlags};

/// A memory cgroup that this process and those that it forks are in; dropping
/// it leaves and removes it.
#[derive(Debug)]
pub struct Cgroup {
    root: PathBuf,
    own: PathBuf,
}

impl Cgroup {
    /// Makes and enters it.
    ///
    /// # Errors
    ///
    /// The kernel has no memory cgroups, or none that can be told to reclaim.
    pub fn enter() -> Result<Self> {
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
    pub fn reclaim(&self) {
        let _ = fs::write(self.own.join("memory.reclaim"), "64M");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.root.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(&self.own);
    }
}
