// SPDX-License-Identifier: GPL-2.0
//! Filesystems on which nothing is promised: no lease.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use nix::{errno::Errno, mount::umount};
use pinlease::{AcquireError, Device, Policy};

use crate::{
    harness::{skip, Context, TestResult},
    support::{command::output, expect::errno, Fill, Mapped},
};

/// A mounted filesystem; dropping it unmounts it.
struct Mounted(std::path::PathBuf);

impl Mounted {
    /// `arguments` are mount(8)'s, but for the folder.
    fn new(arguments: &[&str]) -> Result<Self> {
        let dir = std::env::temp_dir().join("pinlease-other");
        // What a killed test left.
        let _ = umount(&dir);
        fs::create_dir_all(&dir)?;
        let folder = dir.to_str().context("name of the folder")?;
        output("mount", &[arguments, &[folder]].concat())?;
        Ok(Self(dir))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount(&self.0);
    }
}

fn refused(what: &str, dir: &Path) -> TestResult {
    let mapped = Mapped::create(&dir.join("f"), 4, Fill::Written)?;
    let acquired = Device::open()?
        .lease(&mapped)
        .policy(Policy::Refuse)
        .acquire();
    errno(
        what,
        acquired.map_err(AcquireError::errno),
        Errno::EOPNOTSUPP,
    )
}

/// On the disk that may be written over.
fn on_disk(context: &Context, name: &str, mkfs: &[&str]) -> TestResult {
    context.load_modules()?;
    let disk = context.device()?.to_str().context("name of the disk")?;
    output(mkfs[0], &[&mkfs[1..], &[disk]].concat())?;
    let mounted = match Mounted::new(&["-t", name, disk]) {
        Err(error) if format!("{error:#}").contains("unknown filesystem type") => {
            return skip("the kernel does not have this filesystem");
        }
        mounted => mounted?,
    };
    refused(name, &mounted.0)
}

/// ext2, by whichever driver.
pub fn ext2(context: &Context) -> TestResult {
    on_disk(context, "ext2", &["mkfs.ext2", "-q", "-F"])
}

/// ext3, by ext4's driver.
pub fn ext3(context: &Context) -> TestResult {
    on_disk(context, "ext3", &["mkfs.ext3", "-q", "-F"])
}

/// f2fs.
pub fn f2fs(context: &Context) -> TestResult {
    on_disk(context, "f2fs", &["mkfs.f2fs", "-q", "-f"])
}

/// FAT.
pub fn vfat(context: &Context) -> TestResult {
    on_disk(context, "vfat", &["mkfs.vfat"])
}

/// exFAT.
pub fn exfat(context: &Context) -> TestResult {
    on_disk(context, "exfat", &["mkfs.exfat"])
}

/// tmpfs.
pub fn tmpfs(context: &Context) -> TestResult {
    context.load_modules()?;
    let mounted = Mounted::new(&["-t", "tmpfs", "tmpfs"])?;
    refused("tmpfs", &mounted.0)
}

/// overlayfs: the file below can be leased, by its own path.
pub fn overlayfs(context: &Context) -> TestResult {
    context.load_modules()?;
    let base = context.path("overlay");
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| base.join(name));
    for dir in [&lower, &upper, &work] {
        fs::create_dir_all(dir)?;
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let result = Mounted::new(&["-t", "overlay", "-o", &options, "overlay"])
        .and_then(|mounted| refused("overlayfs", &mounted.0));
    fs::remove_dir_all(&base)?;
    result
}
